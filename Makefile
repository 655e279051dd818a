# make demo, make test: all they need is Python 3.11 or later; they install the rest into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=
RESULT := benchmarks/results/latest.json

STUBS := quickpickle.compiled.core quickpickle.compiled.inspection
SECONDS ?= 600
# The memory that tests measure, or limit, is another one there; no browser starts under
# AddressSanitizer.
SANITIZE_ARGS ?= -m "not slow" -k "not memory" --deselect tests/test_inspect_page.py \
  --deselect tests/test_dask.py::test_more_than_one_process_can_hold
# Some thirty times slower, so a part.
VALGRIND_ARGS ?= -m "not slow" -k "not python and not memory and not million" \
  tests/test_memo.py tests/test_names.py tests/test_hostile.py
# On Debian: apt-get install python3.11-dbg python3.11-dev python3.11-venv
DEBUG_PYTHON ?= python3.11-dbg
DEBUG_ARGS ?= -m "not slow"

.PHONY: demo test lint bench changes coverage debug fuzz leaks reproducible sanitize stress valgrind clean
.SECONDARY:  # the stamps of what is installed are kept

demo: $(VENV)/.installed-cli
	$(BIN)/quickpickle demo

test: $(VENV)/.installed-test,integration
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --ignore-missing-stub $(STUBS)

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/compare.py --output $(RESULT) $(BENCH_ARGS)
	$(BIN)/python benchmarks/chart.py $(RESULT) docs/benchmarks.svg

debug:
	$(MAKE) VENV=build/debug PYTHON=$(DEBUG_PYTHON) build/debug/.installed-test
	build/debug/bin/python -c "import sys; sys.gettotalrefcount()"
	build/debug/bin/python -m pytest $(DEBUG_ARGS)

fuzz: $(VENV)/.installed-test,fuzz
	$(BIN)/python tests/fuzz.py graphs --seconds $$(($(SECONDS) / 3))
	$(BIN)/python tests/fuzz.py pickles --seconds $$(($(SECONDS) / 3))
	$(BIN)/python tests/fuzz.py loads --seconds $$(($(SECONDS) / 3))

leaks: $(VENV)/.installed-test,integration
	$(BIN)/python tests/leaks.py

# Of the pure implementation: what the compiled one runs no tool can count.
coverage: $(VENV)/.installed-test $(VENV)/.installed-dev
	$(BIN)/coverage erase
	QUICKPICKLE_PURE=1 $(BIN)/coverage run -m pytest -m "not slow" -n 0
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --show-missing --skip-covered

sanitize: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet 'setuptools>=77' 'Cython>=3.1'
	tools/sanitize $(SANITIZE_ARGS)

reproducible: $(VENV)/.installed-test
	tools/reproducible

stress: $(VENV)/.installed-test
	$(BIN)/python tests/stress_threads.py --seconds $(SECONDS)

changes: $(VENV)/.installed-test
	PYTHONMALLOC=debug $(BIN)/python tests/stress_changes.py --seconds $(SECONDS)

valgrind: $(VENV)/.installed-test
	PYTHONMALLOC=malloc valgrind --error-exitcode=1 --suppressions=tools/valgrind.supp \
	  $(BIN)/python -m pytest -p no:cacheprovider $(VALGRIND_ARGS)

clean:
	rm -rf $(VENV) build dist

$(VENV)/.installed-%: pyproject.toml setup.py $(wildcard src/quickpickle/compiled/*.[ph]*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
