"""quickpickle.diagnose: every place that keeps an object from being pickled."""

from __future__ import annotations

import collections
import contextvars
import gc
import html
import io
import json
import logging
import logging.config
import pickle
import random
import subprocess
import sys
import types
import weakref
from html.parser import HTMLParser

import pytest

import quickpickle
from differential import only_counted, only_cpython
from models import Endless, Plain
from quickpickle import diagnose, diagnosis
from quickpickle.diagnosis import Problem, Problems, testing
from rules.test_paths import NAMES, TABLE, Dict, List, Reduced, lock, slots

PROTOCOLS = (0, 2, 5)


def found(obj, **options):
    """The paths of the problems, each of which leads to something that cannot be pickled."""
    problems = diagnose(obj, **options)
    assert problems.complete
    for problem in problems:
        culprit = eval(problem.path, {"obj": obj, **NAMES})
        assert problem.type is type(culprit)
        if problem.exception is not None:
            with pytest.raises(type(problem.exception)):
                pickle.dumps(culprit, options.get("protocol"))
    return [problem.path for problem in problems]


# --- what is found


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("number", PROTOCOLS)
def test_the_table_of_paths(number, row):
    make, path, protocols = row
    if number in protocols:
        assert found(make(), protocol=number) == [path.format(number)]


@only_cpython
@pytest.mark.parametrize("number", range(pickle.HIGHEST_PROTOCOL + 1))
def test_all_of_them(number):
    obj = Plain(
        a=lock(),
        b=[1, lambda: 0, (2, lock())],
        c={"k": lock(), (lock(),): lock()},
        d={(1, lock())},
        e=List([lock(), [lock()], 3]),
        f=Dict(x=lock(), y=lock()),
        g=frozenset([(1, (i for i in ()))]),
        h=collections.OrderedDict(x=1, y=sys),
        i=collections.deque([lock(), lock()]),
    )
    assert found(obj, protocol=number) == [
        "obj.a",
        "obj.b[1]",
        "obj.b[2][1]",
        "obj.c['k']",
        "list(obj.c)[1][0]",
        "list(obj.c.values())[1]",
        "list(obj.d)[0][1]",
        "obj.e[0]",
        "obj.e[1][0]",
        "obj.f['x']",
        "obj.f['y']",
        "list(obj.g)[0][1]",
        "obj.h['y']",
        "obj.i[0]",
        "obj.i[1]",
    ]


def test_the_parts_of_a_reduction():
    obj = Reduced(lambda: 0, (lock(), [lock()]), {"s": lock()}, [lock(), 1, lock()], [(1, lock())])
    assert found(obj, protocol=5) == [
        "obj.__reduce_ex__(5)[0]",
        "obj.__reduce_ex__(5)[1][0]",
        "obj.__reduce_ex__(5)[1][1][0]",
        "list(obj.__reduce_ex__(5)[3])[0]",
        "list(obj.__reduce_ex__(5)[3])[2]",
        "list(obj.__reduce_ex__(5)[4])[0][1]",
        "obj.__reduce_ex__(5)[2]['s']",
    ]


@only_cpython
def test_each_place_of_one_object():
    shared = lock()
    assert found([shared, {"k": shared}, Plain(a=shared)]) == ["obj[0]", "obj[1]['k']", "obj[2].a"]


def test_a_shared_container_is_looked_into_once():
    part = [lock()]
    assert found([part, part, {"k": part}]) == ["obj[0][0]"]


def test_nothing():
    for obj in (None, [1, "a"], Plain(a=[1]), slots().a, logging.getLogger("x"), [1] * 100_000):
        assert diagnose(obj) == []


def test_an_iterator_that_fails_in_the_middle():
    def items():
        yield lock()
        yield 1
        raise ValueError("no more")

    class Iterates:
        def __reduce__(self):
            return list, (), None, items()

    obj = [Iterates(), lock()]
    problems = diagnose(obj)
    assert [problem.path for problem in problems] == [
        "list(obj[0].__reduce_ex__(4)[3])[0]"
        if pickle.DEFAULT_PROTOCOL == 4
        else "list(obj[0].__reduce_ex__(5)[3])[0]",
        "obj[0]",
        "obj[1]",
    ]
    assert str(problems[1].exception) == "no more"


def test_the_protocol_decides():
    obj = [pickle.PickleBuffer(b"a"), slots()]
    obj[1].b = 1
    assert found(obj, protocol=5) == []
    assert found(obj, protocol=4) == ["obj[0]"]
    assert found(obj, protocol=0) == ["obj[0]", "obj[1]"]


@pytest.mark.costly
def test_a_reduction_without_end(monkeypatch):
    # Above the interpreter's recursion limit.
    monkeypatch.setattr("quickpickle.pickling.pickler.Pickler.reduction_limit", 2000)
    (problem,) = diagnose([Endless(), 1])
    assert isinstance(problem.exception, RecursionError)
    assert " … " in problem.path
    assert "reduction_limit" in problem.hint


def test_more_failures_than_the_reduction_limit(monkeypatch):
    # A reduction that fails on its way still counts as one that is around the others.
    class Fails:
        def __reduce__(self):
            return list, (), None, self.items()

        def items(self):
            yield 1
            raise ValueError("no")

    monkeypatch.setattr("quickpickle.pickling.pickler.Pickler.reduction_limit", 10)
    problems = diagnose([Fails() for _ in range(50)])
    assert {type(problem.exception) for problem in problems} == {ValueError}
    assert len(problems) == 50


def test_deep_objects():
    obj = lock()
    for i in range(100_000):
        obj = [obj] if i % 10_000 else [obj, lock()]
    problems = diagnose(obj)
    assert len(problems) == 11
    while type(obj) is list:
        obj = obj.pop(0)


@pytest.mark.costly
def test_many_problems():
    obj = {i: (lambda: 0) for i in range(20_000)}
    problems = diagnose(obj, max_problems=None)
    assert [problem.path for problem in problems] == [f"obj[{i}]" for i in range(20_000)]
    keyed = {frozenset([i]): (lambda: 0) for i in range(3000)}
    assert diagnose(keyed, max_problems=None)[2999].path == "list(obj.values())[2999]"
    assert len(diagnose({(lambda: 0) for _ in range(3000)}, max_problems=None)) == 3000


def test_max_problems():
    obj = [lock() for _ in range(5)]
    for limit in (1, 4):
        problems = diagnose(obj, max_problems=limit)
        assert [problem.path for problem in problems] == [f"obj[{i}]" for i in range(limit)]
        assert not problems.complete
    assert diagnose(obj, max_problems=5).complete
    assert len(diagnose([lock() for _ in range(150)])) == 100


@pytest.mark.parametrize("options", [{"max_problems": 0}, {"max_problems": -1}, {"protocol": 100}])
def test_bad_arguments(options):
    with pytest.raises(ValueError):  # noqa: PT011
        diagnose([1], **options)


def test_the_object_stays_as_it_is():
    obj = Plain(a=[1, lock()], b={"k": (lambda: 0)}, c={1, 2})
    before = {name: (id(value), repr(value)) for name, value in vars(obj).items()}
    diagnose(obj, strict=True)
    assert {name: (id(value), repr(value)) for name, value in vars(obj).items()} == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupts_and_lack_of_memory_are_raised(error):
    class Raises:
        def __reduce__(self):
            raise error

    with pytest.raises(error):
        diagnose([lock(), Raises()])


@only_counted
def test_nothing_is_kept_alive():
    class Kept(list):
        pass

    gc.collect()
    gc.disable()
    try:
        obj = Kept([lock(), lambda: 0])
        reference = weakref.ref(obj)
        problems = diagnose(obj, protocol=2)
        assert [problem.path for problem in problems] == ["obj", "obj[0]", "obj[1]"]
        del obj
        assert reference() is None
        assert problems[0].exception.__traceback__ is None
    finally:
        gc.enable()


def test_an_exception_of_somebody_else_stays_whole():
    seen = []
    try:
        raise ValueError("before")
    except ValueError as error:
        diagnose([lock()])
        seen.append(error.__traceback__)
    assert seen != [None]


# --- strict


def test_objects_of_main(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import json, quickpickle\n"
        "class A: pass\n"
        "def f(): pass\n"
        "obj = [A(), {'k': f}, A(), (lambda: 0), len]\n"
        "print(json.dumps([[p.path, p.exception is None, p.hint] for p in "
        "quickpickle.diagnose(obj, strict=True)]))\n"
        "assert len(quickpickle.diagnose(obj)) == 1\n"
    )
    result = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    problems = json.loads(result.stdout)
    assert [problem[:2] for problem in problems] == [
        ["obj[0]", True],
        ["obj[1]['k']", True],
        ["obj[3]", False],
    ]
    assert "__main__" in problems[0][2]


class Renamed:
    pass


Renamed.__name__ = "Original"


def test_a_class_under_another_name():
    (problem,) = diagnose([Plain(), Renamed, Renamed()], strict=True)
    assert problem.path == "obj[1]"
    assert f"{__name__}.Renamed" in problem.hint
    assert diagnose([Renamed]) == []


def test_equal_copies():
    rows = list(range(2000))
    obj = {
        "first": rows,
        "again": rows,
        "copy": list(rows),
        "others": [list(range(2001)), tuple(rows), [[] for _ in rows], [{} for _ in rows]],
        "text": "a" * 70_000,
        "more": Plain(text="a" * 69_999 + "a"[:1], data=b"a" * 70_000, small=[1, 2]),
        "smaller": [[1, 2], [1, 2], "a" * 1000, ("a" * 999) + "a"],
        "table": dict.fromkeys(rows),
    }
    obj["same table"] = dict(obj["table"])
    problems = diagnose(obj, strict=True)
    assert [(problem.path, problem.hint.split(":")[0]) for problem in problems] == [
        ("obj['copy']", "It equals obj['first']"),
        ("obj['more'].text", "It equals obj['text']"),
        ("obj['same table']", "It equals obj['table']"),
    ]
    assert diagnose(obj) == []


def hints(obj, **options):
    return {problem.path: problem.hint for problem in diagnose(obj, strict=True, **options)}


def test_equal_copies_of_nested_containers():
    def rows():
        return [{"id": i, "tags": ("a", i), "s": {i}, "f": frozenset([i])} for i in range(300)]

    shared = rows()
    obj = {
        "a": {"deep": [rows()]},
        "b": {"deep": [rows()]},
        "inside": [1, rows()],
        "list": shared[:1],
        "unlike": [*rows()[:-1], {}],
        "float": [[float(i) for i in range(1000)], [list(range(1000))]],
    }
    assert hints(obj) == {
        "obj['b']": "It equals obj['a']: let both be one object, and it is written once.",
        "obj['inside'][1]": "It equals obj['a']['deep'][0]: let both be one object, and it is "
        "written once.",
    }
    # Small ones are not worth a word, however many.
    assert hints([[[1, 2], [3]] for _ in range(900)]) == {}
    # The same members: what is written again is references.
    assert hints([shared, list(shared), shared]) == {}
    assert hints([{"text": "a" * 70_000}, {"text": "a" * 69_999 + "a"[:1]}]).keys() == {"obj[1]"}
    text = "a" * 70_000
    assert hints([{"text": text}, {"text": text}]) == {}
    assert hints([[bytearray(70_000)], [bytearray(70_000)]]).keys() == {"obj[1]"}


def test_equal_sets_in_any_order():
    numbers = [i * 2**40 for i in range(1000)]
    one, other = set(numbers), set()
    for number in reversed(numbers):
        other.add(number)
    assert list(one) != list(other)
    assert hints([one, other]).keys() == {"obj[1]"}
    assert hints([set(numbers), frozenset(numbers)]) == {}


def test_incomparable_objects_are_no_copies():
    def cyclic():
        items = [list(range(500)), tuple(range(500))]
        items.append(items)
        return items

    class Owner:
        def __init__(self, numbers, extra):
            self.numbers, self.extra = numbers, extra

    assert hints([cyclic(), cyclic()]) == {}
    assert hints([[*range(1000), Plain()], [*range(1000), Plain()]]) == {}
    # Equal states alone are no equal objects; their equal members are.
    found = hints([Plain(a=[[1] * 2000]), Plain(a=[[1] * 2000])])
    assert found == {
        "obj[1].a": "It equals obj[0].a: let both be one object, and it is written once."
    }


@pytest.mark.costly
def test_the_cost_of_looking_for_copies_is_bounded():
    doubled = [1]
    for _ in range(200):  # 2 ** 200 items
        doubled = [doubled, doubled]
    assert hints([doubled, [doubled]]) == {}
    deep = list(range(1000))
    for _ in range(9_000):
        deep = [deep]
    assert hints([deep, list(range(1000))]).keys() == {"obj[1]"}
    for _ in range(50_000):
        deep = [deep]
    assert hints([deep, list(range(1000))]) == {}  # it was too many to compare with
    row = tuple(range(999))
    assert hints([[row] * 200_000, [row] * 200_000]).keys() == {"obj[1]"}


def test_equal_buffers():
    class Array:
        def __init__(self, data):
            self.data = data

        def __reduce_ex__(self, protocol):
            return bytearray, (pickle.PickleBuffer(self.data),)

    obj = {"a": Array(b"x" * 70_000), "b": [Array(bytearray(b"x" * 70_000)), Array(b"y" * 70_000)]}
    assert found(obj, protocol=5, strict=True) == ["obj['b'][0]"]


# --- how it looks


@only_cpython
def test_repr():
    problems = diagnose([lock(), Plain(a=sys)])
    text = repr(problems)
    assert text.split("\n")[:3] == [
        "2 places that cannot be pickled:",
        "obj[0]  (type _thread.lock)",
        "    TypeError: cannot pickle '_thread.lock' object",
    ]
    assert repr(problems[1]) in text
    assert repr(diagnose([lock()])).startswith("1 place that cannot be pickled:\n")
    assert repr(diagnose([1])) == "No problems: it can be pickled."
    assert repr(diagnose([lock(), lock()], max_problems=1)).startswith(
        "1 place that cannot be pickled, and more (see max_problems):\n"
    )


class Checker(HTMLParser):
    """Collects the text, and checks that what opens closes."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html():
    obj = {"<script>alert('1')</script>&": lock()}
    problems = diagnose(obj)
    checker = Checker()
    checker.feed(problems._repr_html_())
    assert checker.open == []
    assert "script" not in problems._repr_html_().replace("&lt;script", "").replace("/script", "")
    assert problems[0].path in checker.text
    assert html.escape(problems[0].hint) in problems._repr_html_()
    assert Problems()._repr_html_() == "<p>No problems: it can be pickled.</p>"


def test_a_message_that_fails():
    class Silent(Exception):  # noqa: N818
        def __str__(self):
            raise ZeroDivisionError

    class Raises:
        def __reduce__(self):
            raise Silent

    problems = diagnose([Raises()])
    assert "its str() raises ZeroDivisionError" in repr(problems)
    assert "its str() raises ZeroDivisionError" in problems._repr_html_()


def test_the_public_names():
    assert quickpickle.Problem is Problem
    assert quickpickle.diagnose is diagnose
    code = "import sys, quickpickle; assert 'quickpickle.diagnosis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- objects of others


@only_cpython
def test_a_logging_configuration(tmp_path):
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"()": lambda: logging.Formatter("%(message)s")}},
        "filters": {"quiet": {"()": lambda: lambda record: True}},
        "handlers": {
            "file": {
                "class": "logging.FileHandler",
                "filename": tmp_path / "log",
                "formatter": "plain",
                "filters": ["quiet"],
            },
            "memory": {
                "class": "logging.StreamHandler",
                "stream": io.TextIOWrapper(io.BytesIO()),
            },
        },
        "loggers": {"diagnosed": {"handlers": ["file", "memory"], "level": "INFO"}},
    }
    assert found(config) == [
        "obj['formatters']['plain']['()']",
        "obj['filters']['quiet']['()']",
        "obj['handlers']['memory']['stream']",
    ]
    logging.config.dictConfig(config)
    logger = logging.getLogger("diagnosed")
    handlers = list(logger.handlers)
    try:
        paths = set(found({"logger": logger, "handlers": handlers}))
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
    # A Logger is pickled by its name; its handlers are not.
    assert paths >= {
        "obj['handlers'][0].filters[0]",
        "obj['handlers'][0].lock",
        "obj['handlers'][0].stream",
        "obj['handlers'][1].lock",
        "obj['handlers'][1].stream",
    }
    assert not any("logger" in path for path in paths)


def test_a_flask_app():
    flask = pytest.importorskip("flask")
    app = flask.Flask("diagnosed")

    @app.route("/")
    def index():
        return ""

    @app.template_filter("shout")
    def shout(text):
        return text.upper()

    app.extensions["database"] = types.SimpleNamespace(pool=[lock(), contextvars.ContextVar("c")])
    app.config["FACTORY"] = lambda: 0
    app.before_request(lambda: None)
    paths = set(found(app))
    assert paths >= {
        "obj.view_functions['index']",
        "obj.extensions['database'].pool[0]",
        "obj.extensions['database'].pool[1]",
        "obj.config['FACTORY']",
        "obj.before_request_funcs[None][0]",
    }


def test_a_pipeline_of_scikit_learn():
    pytest.importorskip("sklearn")
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    pipeline = Pipeline(
        [
            ("double", FunctionTransformer(lambda x: x * 2)),
            ("union", FeatureUnion([("scale", StandardScaler()), ("f", FunctionTransformer())])),
            ("model", LogisticRegression()),
        ]
    )
    pipeline.named_steps["union"].transformer_list[1][1].func = lambda x: x[:, :1]
    pipeline.fit(np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 1.0]]), [0, 1, 0])
    pipeline.named_steps["model"].callback = {"lock": lock()}
    assert set(found(pipeline)) >= {
        "obj.steps[0][1].func",
        "obj.steps[1][1].transformer_list[1][1].func",
        "obj.steps[2][1].callback['lock']",
    }
    assert len(found(pipeline)) == 3


def test_a_pandas_accessor():
    pandas = pytest.importorskip("pandas")

    @pandas.api.extensions.register_dataframe_accessor("diagnosed")
    class Accessor:
        def __init__(self, frame):
            self.frame = frame
            self.lock = lock()
            self.convert = {"a": lambda value: value}

    try:
        frame = pandas.DataFrame({"a": [1, 2], "b": ["x", lock()]})
        frame.attrs["source"] = io.TextIOWrapper(io.BytesIO())
        accessor = Plain(**vars(frame.diagnosed))  # whose class can be found
        paths = found({"accessor": accessor})
    finally:
        del pandas.DataFrame.diagnosed
    assert {"obj['accessor'].lock", "obj['accessor'].convert['a']"} < set(paths)
    assert any(path.startswith("obj['accessor'].frame.") and "attrs" in path for path in paths)
    assert len(paths) == 4
    assert found({"accessor": frame.__class__}) == []
    path = found({"accessor": Accessor(pandas.DataFrame())})[0]
    assert path == "obj['accessor']"


# --- what the compiled implementation tests first


def a_graph(random, size):
    """Containers and objects within one another, shared, some of which cannot be pickled."""
    made = [lock(), lambda: 0, Plain(), *range(5), "a", (1,), frozenset([2])]
    for number in range(size):
        members = [random.choice(made[-20:] + made[:3]) for _ in range(random.choice([1, 2, 9]))]
        kind = random.randrange(6)
        if kind == 0:
            made.append(members)
        elif kind == 1:
            made.append(dict(enumerate(members)))
        elif kind == 2:
            made.append(tuple(members))
        elif kind == 3:
            made.append(Plain(a=members[0], b=members[-1]))
        elif kind == 4:
            made.append([made[-1], *range(number)])
        elif type(made[-1]) is list:
            made[-1].append(made[-1])  # in its own cycle
    return made


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(60))
def test_it_finds_what_the_walk_alone_finds(monkeypatch, seed):
    if diagnosis.implementation != "native":
        pytest.skip("there is no compiled implementation here")
    monkeypatch.setattr(testing, "AT_ONCE", [3, 4096][seed % 2])
    obj = a_graph(random.Random(seed), 40)
    problems = diagnose(obj, max_problems=None)
    monkeypatch.setattr(diagnosis, "implementation", "python")
    walked = diagnose(obj, max_problems=None)
    shown = [(problem.path, problem.type, problem.hint) for problem in problems]
    assert shown == [(problem.path, problem.type, problem.hint) for problem in walked]
    assert len(shown) > 1


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(60))
def test_strict_finds_what_the_walk_alone_finds(monkeypatch, seed):
    if diagnosis.implementation != "native":
        pytest.skip("there is no compiled implementation here")
    monkeypatch.setattr(testing, "AT_ONCE", [3, 4096][seed % 2])
    chance = random.Random(seed)
    made = a_graph(chance, 40) if seed % 3 else [Plain(), {}, [2.5], (1,), frozenset([2])]
    for number in range(12):
        text = "a" * 40_000 + str(number % 5)
        parts = [
            [*range(600 * chance.randrange(1, 4))],
            {"a": text[:-1] + text[-1:], "b": [text[:50_000]]},
            Renamed,
            Renamed(),
            ValueError("no"),
            raised(chance),
            Plain(a=[[i] for i in range(400 * chance.randrange(1, 4))]),
            made[chance.randrange(len(made))],
            bytes(70_000 + number % 2),
        ]
        made.append(chance.choice(parts))
        made.append([chance.choice(parts), made[-1]])
        made.append({number: chance.choice(parts), 1: made[chance.randrange(len(made))]})
    problems = diagnose(made, max_problems=None, strict=True)
    monkeypatch.setattr(diagnosis, "implementation", "python")
    walked = diagnose(made, max_problems=None, strict=True)
    shown = {(problem.path, problem.type, problem.hint) for problem in problems}
    assert shown == {(problem.path, problem.type, problem.hint) for problem in walked}
    assert len(shown) > 1


def raised(chance):
    try:
        raise KeyError(chance.random())
    except KeyError as error:
        return error


def test_most_items_are_not_walked(monkeypatch):
    if diagnosis.implementation != "native":
        pytest.skip("there is no compiled implementation here")
    walked = []
    watch = testing.Tester.watch
    monkeypatch.setattr(
        testing.Tester, "watch", lambda self, obj: (walked.append(obj), watch(self, obj))[1]
    )
    obj = {"a": [{"n": number} for number in range(10_000)], "b": lock()}
    obj["a"].insert(7000, [lambda: 0])
    assert found(obj) == ["obj['a'][7000][0]", "obj['b']"]
    assert len(walked) < 20


def test_a_list_that_loses_items_while_it_is_walked():
    class Thief:
        def __reduce__(self):
            if len(obj) > 5:
                del obj[5:]
            raise ValueError("no")

    obj = [Thief(), *[lock() for _ in range(10)]]
    paths = [problem.path for problem in diagnose(obj)]
    assert paths[:2] == ["obj[0]", "obj[1]"]


def test_an_error_with_a_path_of_its_own():
    class Raises:
        def __reduce__(self):
            error = ValueError("no")
            error.path = "obj[9]"
            raise error

    assert [problem.path for problem in diagnose([1, Raises(), 2, lock()])] == ["obj[1]", "obj[3]"]
