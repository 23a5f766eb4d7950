"""The first pictures of a job that decode: what reduced precision is calibrated and judged on."""

from collections.abc import Callable
from contextlib import closing
from itertools import islice

import numpy as np

from twins.engines import Images
from twins.errors import RequestError
from twins.preprocess import Pixels, Undecodable, crop
from twins_worker import listing
from twins_worker.failures import Failure
from twins_worker.fetch import Row, fetcher
from twins_worker.settings import Job
from twins_worker.streams import ordered_map

TRIED_FOR_EACH = 4
"""Objects that are looked at for each picture that is wanted: where fewer are pictures, the sample is smaller."""
THREADS = 8
UNKNOWN_BYTES = 16 * 2**20
"""Of an object whose size is not planned, no more is fetched: larger ones are passed over."""


def pictures(job: Job, count: int) -> Images:
    """Up to ``count`` pictures of the input, ``[n, 224, 224, 3]``, in the order of the listing.

    Raises:
        RequestError: none of those that were tried decodes.
        Unavailable: storage is away for now.
    """
    rows = islice(listing.images(job), count * TRIED_FOR_EACH)
    with closing(ordered_map(_reader(job), rows, threads=THREADS, ahead=2 * THREADS)) as read:
        found = list(islice((picture for picture in read if picture is not None), count))
    if not found:
        problem = "has no picture to judge the precision on among its first objects"
        raise RequestError("input.uri", job.input.uri, problem, "Use engine.precision fp32, or name pictures.")
    return np.stack(found)


def _reader(job: Job) -> Callable[[Row], Pixels | None]:
    fetch = fetcher(job.storage)

    def read(row: Row) -> Pixels | None:
        data = fetch(row, UNKNOWN_BYTES)
        try:
            return None if isinstance(data, Failure) else crop(data)
        except Undecodable:
            return None

    return read
