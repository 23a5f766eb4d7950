"""Read a pickle of NumPy arrays without trusting it: what ``paddle.save`` writes, and nothing else.

A pickle is a program that names functions and calls them. Here each of the few names that an array's pickle needs
stands for a builder of this file, which checks what it is given; every other name is refused before anything is
called. Not even NumPy's own unpickling code runs.
"""

import io
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NAME_TABLE = "StructuredToParameterName@@"
"""Where Paddle notes its inner name of each parameter: read past."""


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
        content = _ArraysOnly(io.BytesIO(data)).load()
    except (Forbidden, pickle.UnpicklingError):
        raise
    except Exception as failure:
        raise pickle.UnpicklingError(f"{type(failure).__name__}: {failure}"[:200]) from failure
    if not isinstance(content, dict):
        raise Forbidden(f"holds a {type(content).__name__} where a dictionary of arrays is due")
    return {_name(name): _array(name, value) for name, value in content.items() if name != NAME_TABLE}


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise Forbidden(f"names an array {name!r}"[:200])
    return name


def _array(name: object, value: object) -> Array:
    match value:
        case _Array(value=np.ndarray() as array) | (str(), _Array(value=np.ndarray() as array)):
            return array
    raise Forbidden(f"holds a {type(value).__name__} as {name!r}, where an array is due"[:200])


class _ArraysOnly(pickle._Unpickler):
    """The unpickler written in Python, not the one in C: its memo is a dictionary, so that no index in a file makes
    it allocate."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise Forbidden(f"asks for {module}.{name}, which is no part of an array"[:200])
        return _Admitted(_ADMITTED[module, name])


@dataclass(frozen=True)
class _Admitted:
    """What an admitted name stands for: it can be called, and nothing else can be done with it."""

    build: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.build(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise Forbidden("writes to a function")


class _Dtype:
    """A ``numpy.dtype`` as it is pickled: its code, then a state with its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if code not in _CODES:
            raise Forbidden(f"holds an array of {code!r}, which are no plain numbers"[:200])
        self.value = np.dtype(str(code))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise Forbidden(f"holds numbers of byte order {state[1]!r}"[:200])
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """A ``numpy.ndarray`` as it is pickled: empty, then a state with its shape, numbers and bytes."""

    def __init__(self, *_: object) -> None:
        self.value: Array | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _numbers(data, dtype, shape, "F" if fortran else "C")


def _numbers(data: object, dtype: object, shape: object, order: object) -> Array:
    if not (isinstance(dtype, _Dtype) and isinstance(data, bytes | bytearray) and isinstance(shape, tuple)):
        raise Forbidden("holds an array that is put together in a strange way")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise Forbidden(f"holds an array of shape {shape!r}"[:200])
    if math.prod(shape) * dtype.value.itemsize != len(data):
        raise Forbidden(f"holds {len(data)} bytes for an array of shape {shape!r}"[:200])
    return np.frombuffer(data, dtype.value).reshape(shape, order="F" if order == "F" else "C")


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    """Protocol 5's way of writing a contiguous array."""
    array = _Array()
    array.value = _numbers(data, dtype, shape, order)
    return array


def _latin1(text: str, encoding: str) -> bytes:
    """Protocol 2's way of writing bytes: ``_codecs.encode(text, "latin1")``."""
    if encoding != "latin1":
        raise Forbidden(f"holds bytes written as {encoding!r}"[:200])
    return text.encode(encoding)


def _tensor(pair: object) -> object:
    """Paddle's way of writing a tensor: ``tuple((name, array))``."""
    if not isinstance(pair, tuple):
        raise Forbidden("makes a tuple of something else than one")
    return pair


def _nothing(*_: object) -> NoReturn:
    raise Forbidden("makes an array without its numbers")


_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})

_ADMITTED: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("numpy", "ndarray"): _nothing,
        ("numpy", "dtype"): _Dtype,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy.core.numeric", "_frombuffer"): _from_buffer,
        ("numpy._core.numeric", "_frombuffer"): _from_buffer,
        ("_codecs", "encode"): _latin1,
        ("builtins", "tuple"): _tensor,
        ("__builtin__", "tuple"): _tensor,
    }
)
