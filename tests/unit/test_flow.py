"""What a pipeline holds is known before it starts."""

from dataclasses import replace

import pytest

from twins_worker import memory
from twins_worker.batches import IMAGE_BYTES
from twins_worker.fetch import MAX_BYTES
from twins_worker.pipeline import DECODE_BYTES, Flow


def test_memory_is_the_sum_of_what_the_stages_hold() -> None:
    flow = Flow(batch_images=10, fetch_threads=8, fetch_ahead=36, decode_threads=2, fetch_ahead_bytes=1000)
    fetched, decoding, batches = 2 * (1000 + MAX_BYTES), memory.LARGEST_BYTES, 4 + 2 + 3
    assert flow.memory_bytes == fetched + decoding + batches * 10 * IMAGE_BYTES


@pytest.mark.parametrize("grown", [{"fetch_ahead": 10_000}, {"decode_bytes": 2**40}, {"batch_images": 512}], ids=str)
def test_more_ahead_takes_more_memory(grown: dict[str, int]) -> None:
    flow = Flow.on(2)
    assert replace(flow, **grown).memory_bytes > flow.memory_bytes


@pytest.mark.parametrize(
    ("cores", "fetch_threads", "fetch_ahead"),
    [
        pytest.param(1, 16, 64, id="a core"),
        pytest.param(2, 32, 128, id="two cores"),
        pytest.param(64, 256, 1024, id="a large machine, which a network does not keep up with"),
    ],
)
def test_a_flow_follows_from_the_cores(cores: int, fetch_threads: int, fetch_ahead: int) -> None:
    expected = Flow(32, fetch_threads, fetch_ahead, decode_threads=cores, decode_bytes=cores * DECODE_BYTES)
    assert Flow.on(cores) == expected


@pytest.mark.parametrize(("limit", "decode_bytes"), [(2**31, 2**29), (2**40, 4 * DECODE_BYTES)])
def test_decoders_take_a_quarter_of_a_containers_memory_at_most(limit: int, decode_bytes: int) -> None:
    assert Flow.on(4, limit_bytes=limit).decode_bytes == decode_bytes
