"""Options that describe a job. Each names the field of the spec that it sets: those fields are documented once."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


@dataclass(frozen=True)
class Sets:
    """The field of the spec that an option sets, and how the option is spelt."""

    field: str
    spelt: str
    place: bool = False
    """Whether it may be a path, which becomes a ``file://``."""


def _in(panel: str, text: str | None = None, metavar: str | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=panel, metavar=metavar)


@dataclass(frozen=True, kw_only=True)
class Model:
    """Which network, on which engine."""

    model: Annotated[
        str | None, Sets("model.name", "--model"), _in("Model", "A network; `twins models` compares them.")
    ] = None
    weights: Annotated[
        str | None,
        Sets("model.weights", "--weights", place=True),
        _in("Model", "A path or URI, or random:SEED. By default the published ones."),
    ] = None
    labels: Annotated[
        str | None, Sets("model.labels", "--labels", place=True), _in("Model", "A path or URI of one label a line.")
    ] = None
    num_classes: Annotated[
        int | None, Sets("model.numClasses", "--num-classes"), _in("Model", "Of the last layer; by default 1000.")
    ] = None
    backend: Annotated[
        str | None,
        Sets("engine.backend", "--backend"),
        _in("Engine", "auto takes the fastest here.", "auto|tensorrt|cuda|onednn|openvino|onnxruntime"),
    ] = None
    precision: Annotated[
        str | None,
        Sets("engine.precision", "--precision"),
        _in("Engine", "By default fp32, exact.", "fp32|fp16|bf16|int8"),
    ] = None
    batch_size: Annotated[
        int | None, Sets("engine.batchSize", "--batch-size"), _in("Engine", "Images a call of the engine.")
    ] = None
    endpoint: Annotated[
        str | None, Sets("storage.endpoint", "--endpoint"), _in("Storage", "URL of an S3 server other than AWS.")
    ] = None
    region: Annotated[
        str | None, Sets("storage.region", "--region"), _in("Storage", "That requests are signed for.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Job(Model):
    """A whole job, or the file that describes one."""

    source: Annotated[
        str | None,
        Sets("input.uri", "IN", place=True),
        typer.Argument(metavar="IN", help="Images: a path, a glob, s3://…, a manifest, tar files.", show_default=False),
    ] = None
    target: Annotated[
        str | None,
        Sets("output.uri", "OUT", place=True),
        typer.Argument(metavar="OUT", help="A folder or a prefix for the predictions.", show_default=False),
    ] = None
    file: Annotated[Path | None, typer.Option("--file", "-f", help="YAML of a TwinsJob, instead of options.")] = None
    input_format: Annotated[
        str | None,
        Sets("input.format", "--format"),
        typer.Option("--format", metavar="auto|images|tar|manifest", rich_help_panel="Input"),
    ] = None
    include: Annotated[
        list[str] | None, Sets("input.include", "--include"), _in("Input", "A glob that a key must match.")
    ] = None
    exclude: Annotated[
        list[str] | None, Sets("input.exclude", "--exclude"), _in("Input", "A glob that no key may match.")
    ] = None
    limit: Annotated[int | None, Sets("input.limit", "--limit"), _in("Input", "The first N images.")] = None
    top_k: Annotated[int | None, Sets("output.topK", "--top-k"), _in("Rows", "Classes in a row; by default 5.")] = None
    embedding: Annotated[
        bool | None,
        Sets("output.embedding", "--embedding"),
        typer.Option("--embedding", help="Add the features before the classifier.", rich_help_panel="Rows"),
    ] = None
    min_agreement: Annotated[
        float | None,
        Sets("engine.guard.minAgreement", "--min-agreement"),
        _in("Engine", "With fp32, of a reduced precision, from 0 to 1; by default 0.99."),
    ] = None
    cache: Annotated[
        str | None,
        Sets("storage.cache", "--cache", place=True),
        _in("Storage", "Prefix for models and compiled engines."),
    ] = None
    images_per_shard: Annotated[
        int | None, Sets("imagesPerShard", "--images-per-shard"), _in("Job", "By default, minutes of work.")
    ] = None
    max_failed: Annotated[
        str | None,
        Sets("failurePolicy.maxFailedImages", "--max-failed"),
        _in("Job", "Images that may fail: a number, or a percentage; by default 1%."),
    ] = None
    since: Annotated[
        str | None,
        Sets("incremental.since", "--since", place=True),
        _in("Job", "An earlier output: only what changed since."),
    ] = None
    retry_failed_from: Annotated[
        str | None,
        Sets("retryFailedFrom", "--retry-failed-from", place=True),
        _in("Job", "An earlier output: only what failed there."),
    ] = None


def sets(kind: type = Job) -> dict[str, Sets]:
    """What each option of ``kind`` sets, by its name."""
    hints = get_type_hints(kind, include_extras=True)
    found = {name: [each for each in _annotations(hint) if isinstance(each, Sets)] for name, hint in hints.items()}
    return {name: each[0] for name, each in found.items() if each}


def given(options: Model) -> dict[str, Any]:
    """The options that were given, by name."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: value for name, value in values.items() if name != "file" and value is not None and value != []}


def expanded(verb: Callable[..., None]) -> Callable[..., None]:
    """``verb`` with the fields of its dataclasses of options as arguments of its own, for Typer to read."""
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}

    def command(**given: Any) -> None:
        made = {
            name: kind(**{each.name: given.pop(each.name) for each in fields(kind)}) for name, kind in groups.items()
        }
        verb(**made, **given)

    parameters = list(_parameters(verb, hints))
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    return command


def _parameters(verb: Callable[..., None], hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    for own in inspect.signature(verb).parameters.values():
        kind = hints[own.name]
        if not is_dataclass(kind):
            yield own.replace(kind=keyword, annotation=kind)
            continue
        of_group = get_type_hints(kind, include_extras=True)
        for field in sorted(fields(kind), key=lambda field: field.name not in ("source", "target")):
            yield inspect.Parameter(field.name, keyword, default=field.default, annotation=of_group[field.name])


def _annotations(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())
