"""Room for large pictures, and who waits for it."""

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

import pictures
import pytest

from twins_worker import memory
from twins_worker.memory import Room


@pytest.mark.parametrize(("told", "bytes_"), [("max\n", None), ("2147483648\n", 2**31)])
def test_a_containers_limit(told: str, bytes_: int | None) -> None:
    assert memory.limit_from(told) == bytes_


def test_a_picture_counts_by_its_header_and_its_buffer() -> None:
    photograph = pictures.photograph("coffee", (300, 200))
    assert memory.decoding_bytes(pictures.encoded(photograph, "JPEG")) == 12 * 300 * 200
    more = [photograph.rotate(9)]
    animated = pictures.encoded(photograph, "WEBP", save_all=True, append_images=more)
    assert memory.decoding_bytes(animated) == (12 + 8) * 300 * 200


def test_what_gives_no_picture_takes_no_room() -> None:
    assert memory.decoding_bytes(b"text") == 0


def test_a_claim_beyond_the_limit_waits_for_no_more_than_the_largest() -> None:
    claim = b"GIF89a" + b"\xff" * 8
    assert memory.decoding_bytes(claim) == memory.LARGEST_BYTES


def test_who_finds_no_room_waits_until_there_is() -> None:
    room, leave = Room(10), Event()

    def take(size: int) -> int:
        with room.taken(size):
            assert leave.wait(10)
            return size

    with ThreadPoolExecutor(3) as pool:
        there = [pool.submit(take, 6), pool.submit(take, 4)]
        waiting = pool.submit(take, 1000)
        done, _ = wait([*there, waiting], timeout=0.05)
        assert not done
        leave.set()
        assert [each.result() for each in (*there, waiting)] == [6, 4, 1000]


def test_room_is_given_back_whatever_happens() -> None:
    room = Room(10)
    for _ in range(2):
        with pytest.raises(RuntimeError), room.taken(10):
            raise RuntimeError
    with room.taken(10):
        pass
