"""``twins weights``: fetch them, verify them, say where they are."""

from typing import TYPE_CHECKING, Annotated

import typer

from twins.registry import NETWORKS, network
from twins_cli import request, terminal
from twins_cli.terminal import Format, Output

if TYPE_CHECKING:
    from twins.sources import Store

COLUMNS = ("network", "weights", "SHA-256", "which is", "file")


def weights(
    models: Annotated[
        list[str] | None, typer.Argument(help="Networks; by default all six.", show_default=False)
    ] = None,
    source: Annotated[
        str | None, typer.Option("--weights", help="A path or URI instead of the published ones.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="URL of an S3 server other than AWS.")] = None,
    region: Annotated[str | None, typer.Option(help="That requests are signed for.")] = None,
    output: Output = Format.text,
) -> None:
    """Fetches weights into the cache, verifies that every parameter of the network is there, and says where they are.

    Where they come with `#sha256=HEX` they are held to it; else their digest is recorded, and a later download to that.

    Examples:

        twins weights alt_gvt_small

        twins weights --weights s3://models/flowers.pdparams alt_gvt_small

        twins weights --weights "flowers.pdparams#sha256=$DIGEST" alt_gvt_small
    """
    from twins.sources import Store

    store = Store(endpoint=endpoint, region=region)
    with request.in_words_of_options():
        found = [_fetched(name, source, store) for name in models or NETWORKS]
    if output is Format.json:
        terminal.tell_json(terminal.record(COLUMNS, found))
    else:
        terminal.tell_table(COLUMNS, found)


def _fetched(name: str, source: str | None, store: "Store") -> tuple[object, ...]:
    from twins import model, weights
    from twins_worker.model_cache import local_root

    spec = network(name)
    with terminal.progress(name, unit="bytes") as advance:
        resolved = weights.resolve(
            source, spec, local_root() / "weights", store=store, progress=lambda got, size: advance(got, total=size)
        )
    weights.load(model.build(spec.name), resolved)
    said = "as given" if resolved.is_verified else "recorded"
    return name, resolved.uri, resolved.digest, said, resolved.path or "drawn from the seed"
