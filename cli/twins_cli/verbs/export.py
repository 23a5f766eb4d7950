"""``twins export``: a network as the files that engines load."""

from pathlib import Path
from typing import Annotated

import typer

from twins_cli import request, terminal
from twins_cli.terminal import Format, Output


def export(
    model: Annotated[str, typer.Argument(help="A network; see `twins models`.")],
    directory: Annotated[Path, typer.Argument(help="The folder to make.")],
    weights: Annotated[
        str | None, typer.Option(help="A path or URI, or random:SEED. By default the published.")
    ] = None,
    num_classes: Annotated[int, typer.Option(min=1, help="Of the last layer.")] = 1000,
    batch: Annotated[int | None, typer.Option(min=1, help="Images a call; by default any.")] = None,
    output: Output = Format.text,
) -> None:
    """Writes a Paddle Inference program and an ONNX graph, both checked against the network.

    Images go in as uint8 [N, 224, 224, 3] in RGB; out come `logits` and `features`.

    Examples:

        twins export alt_gvt_small models/alt_gvt_small

        twins export --weights random:0 --batch 8 pcpvt_base models/trial
    """
    from twins import export as exporting
    from twins import model as networks
    from twins import weights as parameters
    from twins.registry import network
    from twins_worker.model_cache import local_root

    spec = network(model)
    built = networks.build(spec.name, num_classes)
    with request.in_words_of_options():
        with terminal.progress("weights", unit="bytes") as advance:
            resolved = parameters.resolve(
                weights, spec, local_root() / "weights", progress=lambda got, size: advance(got, total=size)
            )
        parameters.load(built, resolved)
    terminal.say(f"exporting {model}")
    exported = exporting.export(built, spec, directory, batch=batch)
    if output is Format.json:
        terminal.tell_json({"directory": str(directory), "weights": resolved.digest, "difference": exported.difference})
        return
    for written, difference in exported.difference.items():
        terminal.tell(f"{directory}: {written}, at most {difference:.1e} of the largest value from the network")
