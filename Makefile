# make demo, make test: all they need is Python 3.11 or later; they install the rest into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A process that has nothing left takes half of what another one has: it was idle for two minutes.
PYTEST_ARGS ?= -n auto --dist worksteal
BENCH_ARGS ?=
BEFORE ?= HEAD~1
AFTER ?= HEAD
COMPARE_ARGS ?=
RESULT := benchmarks/results/latest.json

STUBS := quickpickle.compiled.core quickpickle.compiled.inspection quickpickle.compiled.unpickling
SECONDS ?= 600
SITE_ARGS ?= -b html
SITE = $(BIN)/python -m sphinx -q -W --keep-going $(SITE_ARGS) docs build/site
# The memory that tests measure, or limit, is another one there.
SANITIZE_ARGS ?= -m "not slow" -k "not memory" \
  --deselect tests/integrations/test_dask.py::test_more_than_one_process_can_hold
# Those that say what the layouts save have no meaning there.
UNKNOWN_ARGS ?= -n auto -m "not slow" -k "not memory and not layouts and not asked_for"
# Some thirty times slower, so a part.
VALGRIND_ARGS ?= -m "not slow" -k "not python and not memory and not million" \
  tests/pickling/test_memo.py tests/pickling/test_globals.py tests/pickling/test_hostile_objects.py
# On Debian: apt-get install python3.11-dbg python3.11-dev python3.11-venv
DEBUG_PYTHON ?= python3.11-dbg
DEBUG_ARGS ?= -m "not slow"
# A build for the CPU, where pip finds one: the one on PyPI brings gigabytes for GPUs (TORCH=torch).
TORCH ?= torch==2.13.0+cpu
OTHERS = tests/integrations/test_joblib.py tests/integrations/test_lines.py \
  tests/integrations/test_redis.py tests/integrations/test_torch.py tests/test_cloud_copies.py tests/pickling/test_buffers.py tests/policies/test_presets.py tests/examples

.PHONY: demo test lint bench bench-compare changes coverage debug docs fuzz leaks mutate others reproducible \
  sanitize servers stress test-all unknown valgrind clean
.SECONDARY:  # the stamps of what is installed are kept

demo: $(VENV)/.installed-progress
	$(BIN)/quickpickle demo

test: $(VENV)/.installed-test,integration
	$(BIN)/python -m pytest -m "not servers" --part $(PYTEST_ARGS)

# With the costly cases that the other interpreters of .ci/run have.
test-all: $(VENV)/.installed-test,integration
	$(BIN)/python -m pytest -m "not servers" $(PYTEST_ARGS)

# Spark, which needs Java, and Ray, one after the other, as each starts many processes; MPI, Redis, S3.
servers: $(VENV)/.installed-test,distributed
	$(BIN)/python -m pytest -m servers tests/integrations tests/examples

# arq, Beam, PyTorch and an older joblib, with the package that is built in src.
others: $(VENV)/.installed-test build/others/.installed
	PYTHONPATH=$(CURDIR)/src build/others/bin/python -m pytest -k "arq or beam or joblib or one_line or torch" $(OTHERS)

build/others/.installed: tests/integrations/others.txt
	test -x build/others/bin/python || $(PYTHON) -m venv build/others
	build/others/bin/python -m pip install --quiet --requirement $<
	build/others/bin/python -m pip install --quiet "$(TORCH)" || echo "not tested: pip finds no $(TORCH)"
	touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(SITE)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --ignore-missing-stub $(STUBS)

# The site, its links, and each snippet; pictures of it: tools/screenshots. Links to elsewhere:
# make docs SITE_ARGS="-b linkcheck"
docs: $(VENV)/.installed-test,docs
	$(SITE)
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/examples tests/test_packaging.py

# With BENCH_ARGS, as "--workloads floats", the result is another one than that which the docs show.
bench: $(VENV)/.installed-bench
ifeq ($(BENCH_ARGS),)
	$(BIN)/python benchmarks/compare.py --output $(RESULT)
	$(BIN)/python benchmarks/chart.py $(RESULT) docs/benchmarks.svg
	$(BIN)/python benchmarks/summary.py $(RESULT) docs/speed.svg
else
	$(BIN)/python benchmarks/compare.py --output build/bench.json $(BENCH_ARGS)
endif

# The commits BEFORE and AFTER by their instructions: it fails where something takes 5 % more.
bench-compare:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'setuptools>=77' 'Cython>=3.1'
	$(BIN)/python benchmarks/instructions.py $(BEFORE) $(AFTER) $(COMPARE_ARGS)

debug:
	$(MAKE) VENV=build/debug PYTHON=$(DEBUG_PYTHON) build/debug/.installed-test
	build/debug/bin/python -c "import sys; sys.gettotalrefcount()"
	build/debug/bin/python -m pytest $(DEBUG_ARGS)

fuzz: $(VENV)/.installed-test,fuzz
	$(BIN)/python tests/fuzzing/fuzz.py graphs --seconds $$(($(SECONDS) / 4))
	$(BIN)/python tests/fuzzing/fuzz.py pickles --seconds $$(($(SECONDS) / 4))
	$(BIN)/python tests/fuzzing/fuzz.py loads --seconds $$(($(SECONDS) / 4))
	$(BIN)/python tests/fuzzing/fuzz.py policies --seconds $$(($(SECONDS) / 4))

leaks: $(VENV)/.installed-test,integration
	$(BIN)/python tests/stress/leaks.py

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

unknown: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet 'setuptools>=77' 'Cython>=3.1'
	tools/unknown $(UNKNOWN_ARGS)

# Of the files of src/quickpickle/rules that MUTATE_ARGS names; of all without any.
mutate: $(VENV)/.installed-mutate
	$(BIN)/python tools/mutate --seconds $(SECONDS) $(MUTATE_ARGS)

stress: $(VENV)/.installed-test
	$(BIN)/python tests/stress/threads.py --seconds $(SECONDS)

changes: $(VENV)/.installed-test
	PYTHONMALLOC=debug $(BIN)/python tests/stress/changes.py --seconds $(SECONDS)

valgrind: $(VENV)/.installed-test
	PYTHONMALLOC=malloc valgrind --error-exitcode=1 --suppressions=tools/valgrind.supp \
	  $(BIN)/python -m pytest -p no:cacheprovider $(VALGRIND_ARGS)

clean:
	rm -rf $(VENV) build dist

$(VENV)/.installed-%: pyproject.toml setup.py $(wildcard src/quickpickle/compiled/*.[ph]*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
