"""``twins eval``: how often the network is right."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twins.registry import network
from twins_cli import labelled, options, request, rows, steps, terminal
from twins_cli.terminal import Format, Output

if TYPE_CHECKING:
    from twins_worker.settings import Job

BEST = 5


@dataclass
class Score:
    """Counts of pictures."""

    classified: int = 0
    failed: int = 0
    first: int = 0
    """Whose best class is the true one."""
    among: int = 0
    """Whose true class is among the best five."""

    def add(self, row: rows.Row, truth: int) -> None:
        if row["error"] is not None:
            self.failed += 1
            return
        self.classified += 1
        self.first += row["class_id"] == truth
        self.among += truth in row["top_class_ids"]

    def share(self, count: int) -> float:
        return count / self.classified if self.classified else 0.0


def evaluate(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A folder a class, or a list file of `path label` lines.")
    ],
    asked: options.Model,
    output: Output = Format.text,
) -> None:
    """Top-1 and Top-5 over pictures whose class is known.

    Folders count as classes in the order of their names; a list file (.txt) has `relative/path label` lines. Pictures
    that cannot be read are counted apart.

    Examples:

        twins eval --model alt_gvt_small imagenet/val/

        twins eval --model pcpvt_base --precision int8 imagenet/val_list.txt
    """
    with tempfile.TemporaryDirectory(prefix="twins-") as folder:
        manifest = Path(folder, "pictures.txt")
        best = min(BEST, asked.num_classes or BEST)
        job = request.trial(asked, str(manifest), Path(folder, "out"), input_format="manifest", top_k=best)
        truth = labelled.read(request.uri(source), job.storage)
        manifest.write_text("".join(f"{uri}\n" for uri in truth))
        with request.in_words_of_options():
            steps.run(job)
        _show(job, _score(job, truth), output)


def _score(job: "Job", truth: labelled.Truth) -> Score:
    score = Score()
    for row in rows.read(job, ["uri", "error", "class_id", "top_class_ids"]):
        score.add(row, truth[row["uri"]])
    return score


def _show(job: "Job", score: Score, output: Format) -> None:
    published = network(job.model.name).published
    if output is Format.json:
        terminal.tell_json(
            {
                "network": job.model.name,
                "images": score.classified,
                "failed": score.failed,
                "top1": score.share(score.first),
                "top5": score.share(score.among),
                "published": {"top1": published.top1, "top5": published.top5},
            }
        )
        return
    columns = ("network", "images", "failed", "Top-1", "Top-5", "published Top-1", "published Top-5")
    shares = (f"{score.share(score.first):.4f}", f"{score.share(score.among):.4f}", published.top1, published.top5)
    terminal.tell_table(columns, [(job.model.name, score.classified, score.failed, *shares)])
