"""The four steps on this machine, in turn: the code that pods run."""

from typing import TYPE_CHECKING

from twins_cli import terminal
from twins_worker import wording

if TYPE_CHECKING:
    from twins_worker.commit import Committed
    from twins_worker.infer import Progress
    from twins_worker.plan import Plan
    from twins_worker.settings import Job

GO_ON = "What is written stays; the same command goes on after it."


def run(job: "Job") -> "Committed":
    """Plan, prepare, infer each shard, commit. What an earlier run finished is found and kept.

    Raises:
        RequestError: the job cannot work as it is written.
        DataError: what lies in the output cannot be committed.
        StorageError: storage is away, or closed to us.
    """
    from twins_worker import commit, plan, prepare

    if job.incremental is not None:  # what is unchanged depends on the model; else an empty input is told at once
        prepare.run(job, tell=terminal.say)
    with terminal.progress("plan", unit="listed") as advance:
        planned = plan.run(job, on_listed=advance)
    skipped = f", {planned.skipped} passed over" if planned.skipped else ""
    terminal.say(
        f"plan: {wording.things(planned.images, 'image')} in {wording.things(planned.shards, 'shard')}{skipped}"
    )
    prepared = prepare.run(job, tell=terminal.say)
    terminal.say(f"prepare: {prepared.backend}, {prepared.precision}")
    if (job.model.weights or "").startswith("random:"):
        terminal.say(f"The weights are random ({job.model.weights}): the labels mean nothing.")
    _infer(job, planned)
    return commit.run(job)


def _infer(job: "Job", planned: "Plan") -> None:
    from twins_worker import infer, models

    with models.opened(job) as model, terminal.progress("infer", planned.images) as advance:
        failed_before = 0
        for shard in range(planned.shards):
            before = _Before(shard * planned.images_per_shard, failed_before, advance)
            done = infer.run(job, shard, model, on_progress=before.advance)
            failed_before += sum(done.figures.failed.values())


class _Before:
    """Adds up what a shard says to what the shards before it did."""

    def __init__(self, images: int, failed: int, tell: terminal.Advance) -> None:
        self._images, self._failed, self._tell = images, failed, tell

    def advance(self, progress: "Progress") -> None:
        self._tell(self._images + progress.found + progress.done, failed=self._failed + progress.failed)
