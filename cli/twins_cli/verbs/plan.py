"""``twins plan``: what a run would read, split and cost. Writes nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twins.registry import network
from twins_cli import options, request, terminal
from twins_cli.terminal import Format, Output
from twins_worker import wording

if TYPE_CHECKING:
    from twins_worker.settings import Job

SHOWN = 5
"""Images that are named."""
V100_BATCH = 8


@dataclass
class Listed:
    """What lies in the input."""

    images: int = 0
    bytes: int = 0
    """Of the images whose size is known."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """Counts by reason."""
    first: list[str] = field(default_factory=list)
    """URIs of the first images."""


def plan(asked: options.Job, output: Output = Format.text) -> None:
    """What a run would read, split and cost. Lists the input and writes nothing.

    With --since, where the job's model is not prepared yet, it counts on its being that of the earlier output.

    Examples:

        twins plan -f job.yaml

        twins plan --model alt_gvt_small --exclude 'thumbs/*' s3://photos/2026/ s3://predictions/2026/
    """
    job = request.job(asked)
    with request.in_words_of_options(asked):
        listed = _listed(job)
        told = _told(job, listed)
    if output is Format.json:
        terminal.tell_json({**told, "first": listed.first})
        return
    _show(job, told, listed)


def _listed(job: "Job") -> Listed:
    from twins_worker import listing

    listed = Listed()
    with terminal.progress("list") as advance:
        for entry in listing.entries(job, same_model=True):
            if isinstance(entry, listing.Skipped):
                listed.passed_over[entry.value] += 1
                continue
            listed.images += 1
            listed.bytes += entry.bytes or 0
            if len(listed.first) < SHOWN:
                listed.first.append(entry.uri)
            advance(listed.images)
    return listed


def _told(job: "Job", listed: Listed) -> dict[str, object]:
    from twins.engines import GPU_BACKENDS
    from twins_worker import plan as planning

    asked = None if job.images_per_shard == "auto" else job.images_per_shard
    gpu = job.engine.backend in GPU_BACKENDS
    per_shard, per_part = planning.sizes(listed.images, asked, gpu=gpu) if listed.images else (0, 0)
    published = network(job.model.name).published
    return {
        "images": listed.images,
        "bytes": listed.bytes,
        "passedOver": dict(listed.passed_over),
        "shards": -(-listed.images // per_shard) if per_shard else 0,
        "imagesPerShard": per_shard,
        "imagesPerPart": per_part,
        "flops": round(listed.images * published.flops_g * 1e9),
        "v100Seconds": round(listed.images * published.latency_ms[V100_BATCH] / V100_BATCH / 1000, 1),
    }


def _show(job: "Job", told: dict[str, object], listed: Listed) -> None:
    terminal.tell(
        f"reads   {wording.things(listed.images, 'image')}, {wording.size(listed.bytes)}, below {job.input.uri}"
    )
    for uri in listed.first:
        terminal.tell(f"        {uri}")
    for reason, count in listed.passed_over.most_common():
        terminal.tell(f"        passes over {count} {reason}")
    terminal.tell(f"splits  shards: {told['shards']}, of {told['imagesPerShard']} in parts of {told['imagesPerPart']}")
    terminal.tell(
        f"costs   {wording.flops(float(str(told['flops'])))} with {job.model.name}; one V100 at its published rate"
        f" would take {wording.duration(float(str(told['v100Seconds'])))}"
    )
    terminal.tell(f"writes  {job.output.uri}")
