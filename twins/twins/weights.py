"""The weights of a network: where they come from, how they are read, and how they get into a layer."""

import hashlib
import math
import pickle
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from twins import download, pickled_arrays
from twins.errors import RequestError
from twins.registry import Network
from twins.sources import AWS, Store

FIELD = "model.weights"
Parameters = Mapping[str, npt.NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]

RANDOM_VERSION = 1
"""Part of a random network's digest: changes with the numbers that a seed gives."""


@dataclass(frozen=True)
class Resolved:
    """Weights that are at hand: a file, or a seed to draw them from."""

    uri: str
    digest: str
    """SHA-256 in hex of the content; of random weights, of what determines them."""
    path: Path | None = None
    """``None``: drawn from ``seed``."""
    seed: int = 0
    is_verified: bool = False
    """Whether it was held to a digest that the person gave; else its digest is recorded."""


class Tensor(Protocol):
    """What a layer's parameters can do; Paddle's tensors do."""

    shape: Any

    def set_value(self, value: Any) -> None: ...


class Layer(Protocol):
    """A network to load into; Paddle's layers are."""

    def state_dict(self) -> Mapping[str, Any]: ...


def resolve(
    uri: str | None,
    network: Network,
    cache: Path,
    *,
    store: Store = AWS,
    progress: download.Progress | None = None,
) -> Resolved:
    """The weights that ``uri`` names, downloaded where they are far away.

    Args:
        uri: a path, ``file://``, ``https://``, ``http://``, ``s3://`` or ``random:SEED``; by default the published
            weights of ``network``. ``#sha256=HEX`` at its end is the digest that a file must have.
        cache: the folder that downloads land in.
        store: where ``s3://`` is.

    Raises:
        RequestError: it names nothing that can be had.
    """
    where, digest = pinned(uri or network.weights_url)
    if where.startswith("random:"):
        return _random(where)
    if re.match(r"(https?|s3)://", where):
        origin = download.Origin(where, FIELD, digest, store)
        here = download.download(origin, cache, progress=progress)
        return Resolved(origin.shown, here.digest, path=here.path, is_verified=digest is not None)
    return _local(where, digest)


def pinned(uri: str) -> tuple[str, str | None]:
    """Where weights are, and the SHA-256 in hex that they must have: what follows ``#sha256=``.

    Raises:
        RequestError: what follows is no such digest.
    """
    where, mark, digest = uri.rpartition("#sha256=")
    if not mark:
        return uri, None
    if not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise RequestError(FIELD, uri, "has no SHA-256 after #sha256=", "Write its 64 hex digits: sha256sum FILE.")
    return where, digest.lower()


def _random(uri: str) -> Resolved:
    seed = uri.removeprefix("random:")
    if not seed.isdecimal():
        raise RequestError(FIELD, uri, "names no seed", "Write a whole number: random:0.")
    digest = hashlib.sha256(f"random:{int(seed)}:{RANDOM_VERSION}".encode()).hexdigest()
    return Resolved(uri, digest, seed=int(seed))


def _local(where: str, expected: str | None) -> Resolved:
    path = download.local_path(where)
    if "://" in str(where) and not where.startswith("file://"):
        raise RequestError(FIELD, where, "is of no kind that weights come from", "Give a path, https:// or s3://.")
    if not path.exists():
        raise RequestError(FIELD, where, "is not there", f"Check the path. {download.WAY_OUT}")
    if path.is_dir():
        raise RequestError(FIELD, where, "is a folder, and no exported model", "Give a .pdparams file.")
    digest = download.sha256(path)
    if expected not in (None, digest):
        raise RequestError(FIELD, where, f"has SHA-256 {digest}, not {expected}", "Check the digest and the file.")
    return Resolved(where, digest, path=path, is_verified=expected is not None)


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The parameters in a ``.pdparams`` file, by name. Runs nothing of it (see ``pickled_arrays``).

    Raises:
        RequestError: it is no such file, not all of one, or holds something else than arrays.
    """
    try:
        return pickled_arrays.loads(path.read_bytes())
    except pickled_arrays.Forbidden as refusal:
        remedy = "Nothing of it was run. Take weights only from where you trust, saved by paddle.save(state_dict)."
        raise RequestError(FIELD, path, str(refusal), remedy) from refusal
    except pickle.UnpicklingError as failure:
        remedy = "Give a file that paddle.save wrote, whole."
        raise RequestError(FIELD, path, f"cannot be read as weights ({failure})", remedy) from failure


def load(layer: Layer, resolved: Resolved) -> None:
    """Put resolved weights into ``layer``.

    Raises:
        RequestError: they cannot be read, or are not this network's.
    """
    load_into(layer, random(shapes(layer), resolved.seed) if resolved.path is None else read(resolved.path))


def load_into(layer: Layer, parameters: Parameters) -> None:
    """Put ``parameters`` into ``layer``, all of them or none.

    Raises:
        RequestError: one is missing, surplus or of another shape; it is named.
    """
    wanted = shapes(layer)
    _complete(wanted, parameters)
    for name, tensor in layer.state_dict().items():
        tensor.set_value(np.asarray(parameters[name], dtype=np.float32))


def shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of ``layer``, by name."""
    return {name: tuple(int(side) for side in tensor.shape) for name, tensor in layer.state_dict().items()}


def _complete(wanted: Shapes, parameters: Parameters) -> None:
    remedy = "Check that model.name is the network that these weights are of."
    if missing := wanted.keys() - parameters.keys():
        raise RequestError(FIELD, _some(missing), "is missing in the weights", remedy)
    if surplus := parameters.keys() - wanted.keys():
        raise RequestError(FIELD, _some(surplus), "is no parameter of the network", remedy)
    for name, shape in wanted.items():
        given = parameters[name].shape
        if given != shape:
            classes = f"They tell {given[-1]} classes apart: set model.numClasses to {given[-1]}."
            other = classes if name.startswith("head.") and given[:-1] == shape[:-1] else remedy
            raise RequestError(FIELD, name, f"has shape {list(given)}, the network's has {list(shape)}", other)


def _some(names: Iterable[str]) -> str:
    first, *more = sorted(names)
    return first + (f" and {len(more)} more" if more else "")


def random(shapes: Shapes, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Weights drawn from ``seed``, the same bits on every machine, that let an image's signal through.

    Matrices keep the variance of their inputs, so that predictions differ between images; scales lie around one,
    biases around zero, so that no parameter can be left out unseen. Each depends on its own name only.
    """
    return {name: _draw(name, shape, seed) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    bits = np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(math.prod(shape))
    uniform = (bits >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)  # [-1, 1), exact
    spread = 0.1 if len(shape) < 2 else math.sqrt(3 / _inputs(shape))
    middle = 1.0 if len(shape) < 2 and name.endswith("weight") else 0.0
    return (np.float32(middle) + np.float32(spread) * uniform).reshape(shape)


def _inputs(shape: tuple[int, ...]) -> int:
    """How many inputs each output sums: ``[in, out]`` of a linear map, ``[out, in, h, w]`` of a convolution."""
    return shape[0] if len(shape) == 2 else math.prod(shape[1:])
