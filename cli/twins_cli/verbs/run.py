"""``twins run``: a job on this machine."""

from typing import TYPE_CHECKING

from twins_cli import options, request, rows, steps, terminal
from twins_cli.terminal import Format, Output

if TYPE_CHECKING:
    from twins_worker.commit import Committed
    from twins_worker.settings import Job

SHOWN = 15
"""Rows of the closing table."""


def run(asked: options.Job, output: Output = Format.text) -> None:
    """Classifies every image at IN and leaves Parquet at OUT: the four steps of a TwinsJob, on this machine.

    Run it again and it goes on where it stopped. Ends with 0 done, 78 it can never work as written, 65 the output
    cannot be committed, 75 try again, 130 Ctrl-C, 143 told to stop.

    Examples:

        twins run --model alt_gvt_small photos/ predictions/

        twins run --model pcpvt_large --embedding 's3://photos/2026/**/*.jpg' s3://predictions/2026/

        twins run -f job.yaml
    """
    from twins_worker.termination import Message, ToldToStop, stoppable

    job = request.job(asked)
    try:
        with request.in_words_of_options(asked), stoppable(Message(None, "run")):
            committed = steps.run(job)
    except (KeyboardInterrupt, ToldToStop):
        terminal.say(f"Stopped. {steps.GO_ON}")
        raise
    if output is Format.json:
        terminal.tell_json(committed.model_dump(mode="json", by_alias=True))
    else:
        _show(job, committed)


def _show(job: "Job", committed: "Committed") -> None:
    shown = rows.first(job, SHOWN)
    terminal.tell_table(("image", "label", "score"), map(_cells, shown))
    more = committed.rows - len(shown)
    terminal.tell(
        f"{f'… and {more} more. ' if more else ''}{committed.images.succeeded} of {committed.rows} classified"
    )
    for code, count in committed.failed.items():
        terminal.tell(f"  {count} {code}")
    terminal.tell(f"report  {committed.output.rstrip('/')}/report.html")
    terminal.tell(f'query   duckdb -c "{committed.query}"')


def _cells(row: rows.Row) -> tuple[str, str, str]:
    name = row["uri"].rsplit("/", 1)[-1]
    if row["error"] is not None:
        return name, f"({row['error']}: {row['error_detail']})", ""
    return name, (row["label"] or f"class {row['class_id']}").split(",")[0], f"{row['score']:.3f}"
