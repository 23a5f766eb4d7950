"""Read a pickle of NumPy arrays without trusting it: what ``paddle.save`` writes, and nothing else.

A pickle is a program. Here the few instructions that arrays need are carried out, and of the names that it may call,
each stands for a builder of this file, which checks what it is given; all else is refused before anything is called.
Neither Python's nor NumPy's own unpickling code runs. And nothing may cost more than its bytes: instructions are
counted, lengths are held against what is there, and what a file made is asked for its type before it is hashed,
compared or shown (a tuple of itself twice, thirty times over, takes minutes to print).
"""

import math
import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NAME_TABLE = "StructuredToParameterName@@"
"""Where Paddle notes its inner name of each parameter: read past."""

MAX_INSTRUCTIONS = 1 << 18
"""An array takes about thirty: room for 8000."""

MAX_SIDES = 32
"""Of an array, as in NumPy 1."""


class Forbidden(ValueError):
    """The pickle asks for something other than arrays."""


def loads(data: bytes) -> dict[str, Array]:
    """The arrays of a pickled dictionary, by name.

    Admits arrays as NumPy 1 and 2 pickle them (protocols 2 to 5) and tensors as Paddle does, ``(name, array)``.

    Raises:
        Forbidden: it holds or does anything else; nothing of it was run.
        pickle.UnpicklingError: it is no pickle, or not all of one.
    """
    try:
        content = _run(data)
    except Forbidden:
        raise
    except Exception as failure:
        raise pickle.UnpicklingError(f"{type(failure).__name__}: {failure}"[:200]) from failure
    if not isinstance(content, dict):
        raise Forbidden(f"holds a {type(content).__name__} where a dictionary of arrays is due")
    return {name: _array(name, value) for name, value in content.items() if name != NAME_TABLE}


def _array(name: str, value: object) -> Array:
    match value:
        case _Array(value=np.ndarray() as array) | (str(), _Array(value=np.ndarray() as array)):
            return array
    raise Forbidden(f"holds a {type(value).__name__} as {name!r}, where an array is due"[:200])


def _run(data: bytes) -> object:
    """What the program leaves behind. ``genops`` reads an instruction at a time, each whole, and runs nothing."""
    machine = _Machine(latin1_left=len(data))
    for count, (instruction, argument, _) in enumerate(pickletools.genops(data)):
        if instruction.name not in _INSTRUCTIONS:
            raise Forbidden(f"uses {instruction.name}, which no array needs")
        if count > MAX_INSTRUCTIONS:
            raise Forbidden(f"has more than {MAX_INSTRUCTIONS} instructions")
        _INSTRUCTIONS[instruction.name](machine, argument)
    return machine.stack.pop()


class _Mark:
    """Where what belongs together begins on the stack."""


@dataclass
class _Machine:
    """The stack and the memo of a pickle, and its instructions by what they are called."""

    latin1_left: int
    """Bytes that may still be made of texts: a file makes none twice."""
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def nothing(self, _: object) -> None:
        """PROTO, FRAME, STOP."""

    def push(self, value: object) -> None:
        self.stack.append(value)

    def mark(self, _: object) -> None:
        self.push(_Mark())

    def since_mark(self) -> list[Any]:
        above = []
        while not isinstance(value := self.stack.pop(), _Mark):
            above.append(value)
        return above[::-1]

    def tuple_of(self, size: int) -> None:
        values = [self.stack.pop() for _ in range(size)]
        self.push(tuple(values[::-1]))

    def set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items_of([key, value])

    def set_items_of(self, items: list[Any]) -> None:
        into, keys = self.stack[-1], items[::2]
        if not (isinstance(into, dict) and all(type(key) is str for key in keys)):
            raise Forbidden("names something by what is no text")
        into.update(zip(keys, items[1::2], strict=True))

    def memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def stack_global(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Forbidden("asks for what has no name")
        self.find(f"{module} {name}")

    def find(self, name: str) -> None:
        """GLOBAL: a builder for the one name."""
        if name not in _ADMITTED:
            raise Forbidden(f"asks for {name.replace(' ', '.')}, which is no part of an array"[:200])
        self.push(_Builder(_ADMITTED[name]))

    def reduce(self, _: object) -> None:
        arguments, builder = self.stack.pop(), self.stack.pop()
        if not (isinstance(builder, _Builder) and isinstance(arguments, tuple) and len(arguments) <= 4):
            raise Forbidden("calls what is no part of an array")
        made = builder.build(*arguments)
        if isinstance(made, bytes):
            self.latin1_left -= len(made)
        if self.latin1_left < 0:
            raise Forbidden("makes more bytes than it has")
        self.push(made)

    def build(self, _: object) -> None:
        state, into = self.stack.pop(), self.stack[-1]
        if not (isinstance(into, _Array | _Dtype) and isinstance(state, tuple)):
            raise Forbidden("writes to what is no array")
        into.set_state(state)


@dataclass(frozen=True)
class _Builder:
    """What an admitted name stands for: it can be called, and nothing else can be done with it."""

    build: Callable[..., Any]


class _Dtype:
    """A ``numpy.dtype`` as it is pickled: its code, then a state with its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not (isinstance(code, str) and code in _CODES):
            shown = repr(code) if isinstance(code, str) else f"a {type(code).__name__}"
            raise Forbidden(f"holds an array of {shown}, which are no plain numbers"[:200])
        self.value = np.dtype(code)

    def set_state(self, state: tuple[Any, ...]) -> None:
        match state:
            case (_, "<" | ">" | "|" | "=" as order, *_):
                self.value = self.value.newbyteorder(order)
            case _:
                raise Forbidden("holds numbers of a strange byte order")


class _Array:
    """A ``numpy.ndarray`` as it is pickled: empty, then a state with its shape, numbers and bytes."""

    def __init__(self, *_: object) -> None:
        self.value: Array | None = None

    def set_state(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _numbers(data, dtype, shape, "F" if fortran else "C")


def _numbers(data: object, dtype: object, shape: object, order: object) -> Array:
    if not (isinstance(dtype, _Dtype) and isinstance(data, bytes | bytearray) and isinstance(shape, tuple)):
        raise Forbidden("holds an array that is put together in a strange way")
    if len(shape) > MAX_SIDES or not all(type(side) is int and side >= 0 for side in shape):
        raise Forbidden("holds an array of a strange shape")
    if math.prod(shape) * dtype.value.itemsize != len(data):
        raise Forbidden(f"holds {len(data)} bytes for an array of another size")
    return np.frombuffer(data, dtype.value).reshape(shape, order="F" if order == "F" else "C")


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    """Protocol 5's way of writing a contiguous array."""
    array = _Array()
    array.value = _numbers(data, dtype, shape, order)
    return array


def _latin1(text: object, encoding: object) -> bytes:
    """Protocol 2's way of writing bytes: ``_codecs.encode(text, "latin1")``."""
    if not (isinstance(text, str) and encoding == "latin1"):
        raise Forbidden("holds bytes that are written in a strange way")
    return text.encode("latin1")


def _tensor(pair: object) -> object:
    """Paddle's way of writing a tensor: ``tuple((name, array))``."""
    if not isinstance(pair, tuple):
        raise Forbidden("makes a tuple of something else than one")
    return pair


def _nothing(*_: object) -> NoReturn:
    raise Forbidden("makes an array without its numbers")


_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})

_ADMITTED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "numpy ndarray": _nothing,
        "numpy dtype": _Dtype,
        "numpy.core.multiarray _reconstruct": _Array,
        "numpy._core.multiarray _reconstruct": _Array,
        "numpy.core.numeric _frombuffer": _from_buffer,
        "numpy._core.numeric _frombuffer": _from_buffer,
        "_codecs encode": _latin1,
        "builtins tuple": _tensor,
        "__builtin__ tuple": _tensor,
    }
)

_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")
_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8")

_INSTRUCTIONS: Mapping[str, Callable[[_Machine, Any], None]] = MappingProxyType(
    {
        **dict.fromkeys(("PROTO", "FRAME", "STOP"), _Machine.nothing),
        **dict.fromkeys((*_NUMBERS, *_TEXTS, *_BYTES), _Machine.push),
        "NONE": lambda machine, _: machine.push(None),
        "NEWTRUE": lambda machine, _: machine.push(True),
        "NEWFALSE": lambda machine, _: machine.push(False),
        "MARK": _Machine.mark,
        "EMPTY_TUPLE": lambda machine, _: machine.push(()),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
        "TUPLE1": lambda machine, _: machine.tuple_of(1),
        "TUPLE2": lambda machine, _: machine.tuple_of(2),
        "TUPLE3": lambda machine, _: machine.tuple_of(3),
        "EMPTY_DICT": lambda machine, _: machine.push({}),
        "SETITEM": _Machine.set_item,
        "SETITEMS": lambda machine, _: machine.set_items_of(machine.since_mark()),
        "BINPUT": _Machine.put,
        "LONG_BINPUT": _Machine.put,
        "MEMOIZE": _Machine.memoize,
        "BINGET": _Machine.get,
        "LONG_BINGET": _Machine.get,
        "GLOBAL": _Machine.find,
        "STACK_GLOBAL": _Machine.stack_global,
        "REDUCE": _Machine.reduce,
        "BUILD": _Machine.build,
    }
)
