"""The reference of the tests on PyPy: `pickle._Pickler`, with the bytes of CPython's `_pickle`.

The standard library has a pickler in Python too. Its bytes differ from the compiled one's in few
places, which are corrected here; `test_pypy_reference.py` compares the two on CPython. (PyPy 8.0
has a `_pickle` of its own, which is no reference: it writes LONG1 at protocols 0 and 1, MEMOIZE at
protocol 3, and crashes on a buffer that was released.)
"""

from __future__ import annotations

import copyreg
import io
import operator
import pickle
import sys
from types import FunctionType
from typing import Any, ClassVar

BATCHSIZE = 1000
END = object()


class Held:
    """A file that gets whole frames, and nothing of the last one if the dump fails."""

    def __init__(self, write):
        self.parts, self.file_write = [], write

    def write(self, data):
        self.parts.append(bytes(data))
        if len(data) >= 1 << 16:
            self.flush()
        return len(data)

    def flush(self):
        if self.parts:
            self.file_write(b"".join(self.parts))
            self.parts.clear()


class Pickler(pickle._Pickler):
    dispatch: ClassVar = dict(pickle._Pickler.dispatch)
    reduction_limit = 2000  # which tests set; here the recursion limit is lower
    _original: Any = None

    def __init__(self, file, protocol=None, **options):
        if protocol is not None:
            protocol = operator.index(protocol)
            if protocol.bit_length() > 31:
                raise OverflowError("no C int")
        self._held = Held(file.write)
        super().__init__(self._held, protocol, **options)

    def dump(self, obj):
        try:
            super().dump(obj)
        except BaseException:
            self._held.parts.clear()
            self.framer.current_frame = None
            raise
        self._held.flush()

    def save(self, obj, save_persistent_id=True):
        """Objects of builtin types are not given to reducer_override, nor looked up in a table."""
        self.framer.commit_frame()
        if save_persistent_id:
            pid = self.persistent_id(obj)
            if pid is not None:
                self.save_pers(pid)
                return
        cls = type(obj)
        known = self.memo.get(id(obj))
        if known is not None:
            self.write(self.get(known[0]))
            return
        if cls in self.dispatch and cls not in (type, FunctionType):
            self.dispatch[cls](self, obj)
            return
        override = getattr(self, "reducer_override", END)
        reduction = NotImplemented if override is END else override(obj)
        if reduction is NotImplemented and cls in self.dispatch:
            self.dispatch[cls](self, obj)
            return
        if reduction is NotImplemented:
            try:
                reducer = getattr(self, "dispatch_table", copyreg.dispatch_table)[cls]
            except KeyError:
                reducer = END
            if reducer is not END:
                reduction = reducer(obj)
            elif issubclass(cls, type):
                self.save_global(obj)
                return
            elif (reduce_ex := getattr(obj, "__reduce_ex__", END)) is not END:
                reduction = reduce_ex(self.proto)
            elif (reduce := getattr(obj, "__reduce__", END)) is not END:
                reduction = reduce()
        if isinstance(reduction, str):
            self.save_global(obj, reduction)
            return
        if not isinstance(reduction, tuple) or not 2 <= tuple.__len__(reduction) <= 6:
            raise pickle.PicklingError("no reduction")
        items = tuple.__add__(reduction, (None,) * 4)
        if not all(item is None or hasattr(type(item), "__next__") for item in items[3:5]):
            raise pickle.PicklingError("no iterator")
        if items[5] is not None and not callable(items[5]):
            raise pickle.PicklingError("not callable")
        self.save_reduce(*items[:6], obj=obj)

    def save_reduce(self, func, args, *rest, obj=None):
        """An object that was met in its own arguments is fetched, and nothing is added to it."""
        super().save_reduce(func, args, obj=obj)
        number = self.memo.get(id(obj), (None,))[0]
        if number is not None and number < len(self.memo) - 1:  # not memoized just now
            return
        state, listitems, dictitems, state_setter = (*rest, None, None, None, None)[:4]
        if listitems is not None:
            self._batch_appends(listitems)
        if dictitems is not None:
            self._batch_setitems(dictitems)
        if state is not None and state_setter is None:
            self.save(state)
            self.write(pickle.BUILD)
        elif state is not None:
            self.save(state_setter)
            self.save(obj)
            self.save(state)
            self.write(pickle.TUPLE2 + pickle.REDUCE + pickle.POP)

    def __setattr__(self, name, value):
        """A memo is copied, and is refused if it is none."""
        if name == "memo":
            try:
                entries = [tuple.__add__(entry, ()) for entry in value.values()]
                value = {id(obj): (int(number), obj) for number, obj in entries}
            except (AttributeError, TypeError, ValueError) as error:
                raise TypeError("no memo") from error
        super().__setattr__(name, value)

    def _batch_appends(self, items):
        """Only a list of a single item goes without a batch, not one that has an item left over."""
        if not self.bin:
            items = iter(items) if type(items) is list else items
            while (item := next(items, END)) is not END:
                self.save(item)
                self.write(pickle.APPEND)
        elif type(items) is not list:
            self._batch(items, self.save, pickle.APPEND, pickle.APPENDS)
        elif len(items) == 1:
            self.save(items[0])
            self.write(pickle.APPEND)
        else:
            done = 0
            while done < len(items):
                self.write(pickle.MARK)
                end = done + BATCHSIZE
                while done < min(end, len(items)):
                    self.save(items[done])
                    done += 1
                self.write(pickle.APPENDS)

    def _batch_setitems(self, items):
        if self.bin:
            self._batch(items, self._save_pair, pickle.SETITEM, pickle.SETITEMS)
        else:
            while (item := next(items, END)) is not END:
                self._save_pair(item)
                self.write(pickle.SETITEM)

    def _save_pair(self, item):
        if not isinstance(item, tuple) or tuple.__len__(item) != 2:
            raise TypeError("no pair")
        for part in tuple.__iter__(item):
            self.save(part)

    def _batch(self, items, save, single, several):
        """An iterator is asked for one item more than was written, not for all of a batch."""
        count = BATCHSIZE
        while count == BATCHSIZE:
            first = next(items, END)
            if first is END:
                return
            second = next(items, END)
            if second is END:
                save(first)
                self.write(single)
                return
            self.write(pickle.MARK)
            save(first)
            item, count = second, 1
            while item is not END:
                save(item)
                count += 1
                item = next(items, END) if count < BATCHSIZE else END
            self.write(several)

    def save_dict(self, obj):
        """A full last batch is followed by an empty one."""
        keys = list(obj)
        self.write(pickle.EMPTY_DICT if self.bin else pickle.MARK + pickle.DICT)
        self.memoize(obj)
        if not self.bin or len(keys) < 2:
            self._batch_setitems(iter(obj.items()))
            return
        for start in range(0, len(keys) + 1, BATCHSIZE):
            self.write(pickle.MARK)
            for key in keys[start : start + BATCHSIZE]:
                self.save(key)
                self.save(obj[key])
            self.write(pickle.SETITEMS)
            if len(obj) != len(keys):
                raise RuntimeError("dictionary changed size during iteration")

    def save_set(self, obj):
        """The same."""
        members = list(obj)
        if self.proto < 4 or not members:
            super().save_set(obj)
            return
        self.write(pickle.EMPTY_SET)
        self.memoize(obj)
        for start in range(0, len(members) + 1, BATCHSIZE):
            self.write(pickle.MARK)
            for member in members[start : start + BATCHSIZE]:
                self.save(member)
            self.write(pickle.ADDITEMS)
            if len(obj) != len(members):
                raise RuntimeError("set changed size during iteration")

    def save_picklebuffer(self, obj):
        """A buffer in band is memoized itself, not the copy of it that is written."""
        self._save_itself(super().save_picklebuffer, obj)

    def save_str(self, obj):
        """The same for a string, whose copy is escaped for protocol 0."""
        self._save_itself(super().save_str, obj)

    def _save_itself(self, save, obj):
        self._original = obj
        try:
            save(obj)
        finally:
            self._original = None

    def memoize(self, obj):
        """Also what is in the memo already, as its own name or reduction led to it."""
        if not self.fast:
            obj = obj if self._original is None else self._original
            number = len(self.memo)
            self.write(self.put(number))
            self.memo[id(obj)] = number, obj

    def save_global(self, obj, name=None):
        """Any error in an import or a lookup is a PicklingError."""
        path = str(name or getattr(obj, "__qualname__", None) or obj.__name__)
        if "<locals>" in path.split("."):
            raise AttributeError("local")
        module_name = pickle.whichmodule(obj, path)
        try:
            __import__(module_name)
            pickle._getattribute(sys.modules[module_name], path)
        except Exception as error:
            raise pickle.PicklingError("not found") from error
        code = copyreg._extension_registry.get((module_name, path), 1)
        if self.proto >= 2 and (not isinstance(code, int) or not 0 < code < 1 << 31):
            raise pickle.PicklingError("no extension code")
        super().save_global(obj, name)

    dispatch[FunctionType] = save_global
    dispatch[dict] = save_dict
    dispatch[set] = save_set
    dispatch[str] = save_str
    dispatch[pickle.PickleBuffer] = save_picklebuffer


def dump(obj, file, *args, **options):
    Pickler(file, *args, **options).dump(obj)


def dumps(obj, *args, **options):
    file = io.BytesIO()
    dump(obj, file, *args, **options)
    return file.getvalue()


if sys.implementation.name == "pypy":
    pickle.Pickler, pickle.dump, pickle.dumps = Pickler, dump, dumps
    # PyPy's own do not read the floats `inf` and `nan` of protocol 0.
    pickle.Unpickler, pickle.load, pickle.loads = pickle._Unpickler, pickle._load, pickle._loads
