"""The exported model that a job's engine loads, in the cache under a key that names everything it depends on."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from twins import registry, weights
from twins.engines import Images
from twins.errors import RequestError
from twins.exported import REVISION, Exported
from twins.sources import Store
from twins_worker.model_cache import ModelCache
from twins_worker.settings import Job, Model
from twins_worker.storage import NotFound, Place, open_place

DESCRIPTION = "export.json"
CONVERTERS = ("paddlepaddle", "paddlepaddle-gpu", "paddle2onnx", "onnx")

Tell = Callable[[str], None]


def model(job: Job, cache: ModelCache, tell: Tell) -> str:
    """The key of the model of ``job``: exported now, found in the cache, or given exported in ``model.weights``.

    Raises:
        RequestError: there are no such weights, or they are not of this network.
    """
    given = _given(job)
    key = _copied(given, cache) if given else _exported(job, cache, tell)
    _check(Exported.read(cache.path(key)), job.model)
    return key


def reduced(key: str, cache: ModelCache, pictures: Images, tell: Tell) -> str:
    """The key of the model ``key`` with an int8 graph beside it, calibrated on ``pictures`` (``[n, 224, 224, 3]``).

    Raises:
        RequestError: the calibration's package is missing.
    """
    try:
        from twins import quantise
    except ModuleNotFoundError as missing:
        problem, remedy = f"needs the package {missing.name}", "In a checkout: pip install '.[int8]'."
        raise RequestError("engine.precision", "int8", problem, remedy) from missing

    def make(folder: Path) -> None:
        tell(f"calibrating int8 on {len(pictures)} pictures of the job")
        shutil.copytree(cache.path(key), folder)
        quantise.quantise(folder, pictures)

    calibration = hashlib.sha256(pictures.tobytes()).hexdigest()
    reduced_key = _key("int8", key, calibration, *_versions(("nncf", "openvino")))
    cache.build(reduced_key, make)
    return reduced_key


def _exported(job: Job, cache: ModelCache, tell: Tell) -> str:
    spec = registry.network(job.model.name)
    store = Store(job.storage.endpoint, job.storage.region)
    resolved = weights.resolve(job.model.weights, spec, cache.local / "weights", store=store)

    def make(folder: Path) -> None:
        tell(f"exporting {spec.name} with {resolved.uri}")
        _write(spec, job.model.num_classes, resolved, folder)

    key = _key("export", spec.name, str(job.model.num_classes), resolved.digest, str(REVISION), *_versions(CONVERTERS))
    cache.build(key, make)
    return key


def _write(spec: registry.Network, num_classes: int, resolved: weights.Resolved, folder: Path) -> None:
    try:
        from twins import export, model
    except ModuleNotFoundError as missing:
        problem = f"has to be exported, which needs the package {missing.name}"
        remedy = "Install the extra worker-cpu on Python 3.11 or 3.12, or name an exported model in model.weights."
        raise RequestError("model.weights", resolved.uri, problem, remedy) from missing
    network = model.build(spec.name, num_classes, initialise=False)
    weights.load(network, resolved)
    network.eval()
    export.export(network, spec, folder)


def _given(job: Job) -> Place | None:
    """The folder or prefix that ``model.weights`` names, where that is an exported model."""
    uri = job.model.weights
    if (
        uri is None
        or "#sha256=" in uri
        or uri.endswith(".pdparams")
        or uri.startswith(("random:", "http://", "https://"))
    ):
        return None
    place = open_place(uri, job.storage, field="model.weights")
    with suppress(NotFound):
        place.get(DESCRIPTION)
        return place
    return None


def _copied(place: Place, cache: ModelCache) -> str:
    listed = sorted((item.key, item.etag, item.bytes) for item in place.list())
    key = _key("given", place.uri(""), repr(listed))

    def make(folder: Path) -> None:
        for name, _, _ in listed:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(place.get(name))

    cache.build(key, make)
    return key


def _check(described: Exported, asked: Model) -> None:
    for field, theirs, ours in (
        ("model.name", described.network, asked.name),
        ("model.numClasses", described.num_classes, asked.num_classes),
    ):
        if theirs != ours:
            raise RequestError(field, ours, f"is not what the exported model is: {theirs}", f"Write {theirs}.")


def _versions(distributions: Iterable[str]) -> Iterator[str]:
    for name in distributions:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
