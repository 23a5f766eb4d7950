"""A pickle of arrays is read; a pickle of anything else is refused, and nothing of it runs."""

import io
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twins import pickled_arrays
from twins.pickled_arrays import Forbidden

ARRAYS = {
    "head.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "big endian": np.arange(5, dtype=">i4"),
    "scalar": np.array(3.5, dtype=np.float16),
    "mask": np.array([True, False]),
}
NUMPY_1 = {b"numpy._core": b"numpy.core"}
"""How NumPy 1 names its parts: the text of a protocol 2 pickle, where names carry no length."""


def as_numpy_1(data: bytes) -> bytes:
    for new, old in NUMPY_1.items():
        data = data.replace(new, old)
    return data


def assert_same(read: dict[str, Any], written: dict[str, Any]) -> None:
    assert list(read) == list(written)
    for name, array in written.items():
        np.testing.assert_array_equal(read[name], array, strict=name != "big endian")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_come_back_whatever_the_protocol(protocol: int) -> None:
    assert_same(pickled_arrays.loads(pickle.dumps(ARRAYS, protocol)), ARRAYS)


@pytest.mark.parametrize("protocol", [2, 3])
def test_arrays_of_numpy_1_come_back(protocol: int) -> None:
    data = as_numpy_1(pickle.dumps(ARRAYS, protocol))
    assert b"numpy.core.multiarray" in data
    assert_same(pickled_arrays.loads(data), ARRAYS)


def test_paddles_table_of_names_is_read_past() -> None:
    weight = np.ones(2, np.float32)
    table = {"StructuredToParameterName@@": {"norm.weight": "layer_norm_0.w_0"}}
    assert_same(pickled_arrays.loads(pickle.dumps({"norm.weight": weight, **table}, 2)), {"norm.weight": weight})


class Tensor:
    """Pickles as a Paddle tensor does in a nested object: ``tuple((name, array))``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (("linear_0.w_0", np.ones((2, 2), np.float32)),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_tensor_with_its_name_comes_back_as_its_array(protocol: int) -> None:
    read = pickled_arrays.loads(pickle.dumps({"w": Tensor()}, protocol))
    assert_same(read, {"w": np.ones((2, 2), np.float32)})


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def touch(path: Path) -> str:
    return f"open({str(path)!r}, 'w')"


def hostile(path: Path) -> dict[str, bytes]:
    """Pickles that would make ``path``, or do worse, if anything of them ran."""
    shell = f"touch {path}"
    text = touch(path)
    return {
        "os.system": pickle.dumps({"w": Calls(os.system, shell)}),
        "builtins.eval": pickle.dumps({"w": Calls(eval, text)}),
        "builtins.exec, written the old way": f'c__builtin__\nexec\n(S"{text}"\ntR.'.encode(),
        "INST": f"(S'{shell}'\nios\nsystem\n.".encode(),
        "OBJ": f"(cos\nsystem\nS'{shell}'\no.".encode(),
        "STACK_GLOBAL": pickle.dumps({"w": Calls(eval, text)}, 4),
        "a name with dots": b"\x80\x04\x8c\x05numpy\x8c\x0fcore.os.system.x\x93.",
        "Paddle's own eval of a dense tensor": pickle.dumps({"w": Calls(eval, "data", {"data": 1})}, 2),
        "numpy.load of a pickle": b"cnumpy\nload\n(S'x'\nI00\nI01\ntR.",
        "numpy.f2py's shell": b"cnumpy.f2py.diagnose\nrun_command\n(S'id'\ntR.",
        "numpy.memmap, which opens files": f"cnumpy\nmemmap\n(S'{path}'\nS'f4'\nS'w+'\nI0\nI1\ntR.".encode(),
        "numpy.fromfile": f"cnumpy\nfromfile\n(S'{path}'\ntR.".encode(),
        "getattr over numpy": b"c__builtin__\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
        "an object in an array": pickle.dumps({"w": np.array([Calls(eval, text)], dtype=object)}, 2),
        "nested in the table of names": pickle.dumps({"StructuredToParameterName@@": {"a": Calls(eval, text)}}, 2),
        "nested in a key": pickle.dumps({("a", Calls(eval, text)): 1}, 2),
        "a persistent id": b"Pevil\n.",
        "an extension code": b"\x80\x02\x82\x01.",
        "BUILD on an admitted function": b"\x80\x02c_codecs\nencode\n}X\x05\x00\x00\x00buildK\x01sb.",
        "BUILD with slots on an admitted function": b"\x80\x02c_codecs\nencode\nN}X\x05\x00\x00\x00buildK\x01s\x86b.",
        "NEWOBJ on an admitted function": b"\x80\x02c_codecs\nencode\n)\x81.",
    }


@pytest.mark.parametrize("how", hostile(Path("x")))
def test_a_hostile_pickle_is_refused_and_nothing_runs(how: str, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    with pytest.raises((Forbidden, pickle.UnpicklingError)):
        pickled_arrays.loads(hostile(mark)[how])
    assert not mark.exists()
    assert_same(pickled_arrays.loads(pickle.dumps(ARRAYS, 2)), ARRAYS)  # nothing of ours was bent


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x03\x04" + bytes(64), id="a zip, as other frameworks save"),
        pytest.param(pickle.dumps(ARRAYS, 2)[:-40], id="a pickle cut short"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7fabc.", id="a text that claims two gigabytes"),
        pytest.param(pickle.dumps([1, 2]), id="a list"),
        pytest.param(pickle.dumps({"w": [1.0]}), id="numbers without an array"),
        pytest.param(pickle.dumps({1: np.ones(1)}), id="an array whose name is a number"),
        pytest.param(b"\x80\x02}U\x01wcnumpy\nndarray\n(K\x01tRs.", id="an array made without its numbers"),
    ],
)
def test_what_is_no_dictionary_of_arrays_is_refused(data: bytes) -> None:
    with pytest.raises((Forbidden, pickle.UnpicklingError)):
        pickled_arrays.loads(data)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param((1, (2**40,), np.dtype("f4"), False, b"abcd"), id="a shape of terabytes"),
        pytest.param((1, (-1,), np.dtype("f4"), False, b"abcd"), id="a negative side"),
        pytest.param((1, (True,), np.dtype("f4"), False, b"abcd"), id="a side that is no number"),
        pytest.param((1, (1,), "f4", False, b"abcd"), id="a type that is text"),
        pytest.param((1, (1,), np.dtype("f4"), False, [1.0]), id="a list for bytes"),
    ],
)
def test_an_array_put_together_wrongly_is_refused(state: tuple[Any, ...]) -> None:
    with pytest.raises(Forbidden):
        pickled_arrays.loads(_pickled_with_state(state))


def _pickled_with_state(state: tuple[Any, ...]) -> bytes:
    """The pickle of an array, with another state than its own."""

    class Pickler(pickle.Pickler):
        def reducer_override(self, value: object) -> Any:
            if type(value) is np.ndarray:
                return (*value.__reduce__()[:2], state)
            return NotImplemented

    file = io.BytesIO()
    Pickler(file, 4).dump({"w": np.ones(1, np.float32)})
    return file.getvalue()


def doubled(levels: int) -> bytes:
    """The instructions for a tuple of itself, twice, so many times over: 2**levels to whoever walks it."""
    return b")" + b"".join(b"q%c" % index + b"h%c" % index + b"\x86" for index in range(levels))


NUMPY_DTYPE = b"cnumpy\ndtype\n"
ENCODED = b"\x80\x02c_codecs\nencode\nq\x00X\x40\x42\x0f\x00" + b"x" * 1_000_000 + b"q\x01X\x06\x00\x00\x00latin1q\x02"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b".", id="bytes that claim two gigabytes"),
        pytest.param(b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b".", id="bytes that claim all there is"),
        pytest.param(b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b".", id="constant bytes that claim a terabyte"),
        pytest.param(b"\x80\x04\x8d" + (2**40).to_bytes(8, "little") + b".", id="a text that claims a terabyte"),
        pytest.param(b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"}", id="a frame that claims a terabyte"),
        pytest.param(b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b".", id="a number of two gigabytes"),
        pytest.param(b"\x80\x02r\xff\xff\xff\xff.", id="a memo of four billion"),
        pytest.param(b"\x80\x02}" + doubled(40) + b"Ns.", id="a doubled tuple as a key"),
        pytest.param(b"\x80\x02}(" + doubled(40) + b"Nu.", id="a doubled tuple as one of many keys"),
        pytest.param(b"\x80\x02}X\x01\0\0\0w" + doubled(40) + b"s.", id="a doubled tuple for an array"),
        pytest.param(b"\x80\x02" + NUMPY_DTYPE + doubled(40) + b"\x85R.", id="a doubled tuple for a kind of numbers"),
        pytest.param(
            b"\x80\x02" + NUMPY_DTYPE + b"X\x02\0\0\0f4\x85R" + doubled(40) + b"\x86b.",
            id="a doubled tuple for an order",
        ),
        pytest.param(b"\x80\x02c_codecs\nencode\nX\x01\0\0\0w" + doubled(40) + b"\x86R.", id="a doubled encoding"),
        pytest.param(b"\x80\x02" + b"}" * 2**20 + b".", id="a million dictionaries"),
        pytest.param(ENCODED + b"h\x00h\x01h\x02\x86R" * 100_000 + b".", id="bytes made of one text, over and over"),
        pytest.param(ENCODED + b"h\x00h\x01R.", id="a text for arguments"),
    ],
)
def test_a_file_that_asks_for_more_than_it_brings_is_refused_before_it_gets_it(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((Forbidden, pickle.UnpicklingError)):
            pickled_arrays.loads(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(data) + 2**26


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((1,) * 65, id="of too many sides"),
        pytest.param((((), ()),), id="of tuples"),
    ],
)
def test_a_strange_shape_is_refused(shape: tuple[Any, ...]) -> None:
    with pytest.raises(Forbidden, match="strange shape"):
        pickled_arrays.loads(_pickled_with_state((1, shape, np.dtype("f4"), False, b"abcd")))
