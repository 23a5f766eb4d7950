"""``twins predict``: what is on these pictures?"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twins.errors import RequestError
from twins_cli import options, request, rows, steps, terminal
from twins_cli.terminal import Format, Output
from twins_worker.exits import Exit

if TYPE_CHECKING:
    from twins_worker.settings import Job

COLUMNS = ("picture", "rank", "label", "class", "score")


def predict(
    pictures: Annotated[list[str], typer.Argument(help="Files or URIs of images.")],
    asked: options.Model,
    top_k: Annotated[int, typer.Option(help="How many classes a picture.")] = 5,
    output: Output = Format.text,
) -> None:
    """The best classes of each picture, with labels. Ends with 65 where a picture gives none.

    Examples:

        twins predict cat.jpg dog.png

        twins predict --model pcpvt_large --top-k 1 s3://photos/2026/cat.jpg
    """
    with tempfile.TemporaryDirectory(prefix="twins-") as folder:
        manifest = Path(folder, "pictures.txt")
        manifest.write_text("".join(f"{request.uri(_one_line(picture))}\n" for picture in pictures))
        job = request.trial(asked, str(manifest), Path(folder, "out"), input_format="manifest", top_k=top_k)
        with request.in_words_of_options():
            steps.run(job)
        found = list(rows.read(job))
        _show(job, pictures, found, output)
    if any(row["error"] is not None for row in found):
        raise typer.Exit(Exit.SHARD_CANNOT_WORK)


def _one_line(picture: str) -> str:
    if "\n" in picture:
        raise RequestError("PICTURE", picture, "holds a line break", "Rename it.")
    return picture


def _show(job: "Job", pictures: list[str], found: list[rows.Row], output: Format) -> None:
    from twins_worker import labels

    names = [name or "" for name in labels.of(job)]
    ranked = [line for picture, row in zip(pictures, found, strict=True) for line in _ranked(picture, row, names)]
    if output is Format.json:
        terminal.tell_json(terminal.record(COLUMNS, ranked))
    else:
        terminal.tell_table(COLUMNS, ranked)


def _ranked(picture: str, row: rows.Row, names: list[str]) -> list[tuple[object, ...]]:
    if row["error"] is not None:
        return [(picture, None, f"({row['error']}: {row['error_detail']})", None, None)]
    best = zip(row["top_class_ids"], row["top_scores"], strict=True)
    return [(picture, rank, names[one], one, round(score, 4)) for rank, (one, score) in enumerate(best, 1)]
