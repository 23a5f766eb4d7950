import os

import pytest

from twins.engines.cores import available_cores, cpu_limit


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [
        pytest.param("max 100000\n", None, id="no limit"),
        pytest.param("400000 100000\n", 4.0, id="four processors"),
        pytest.param("150000 100000\n", 1.5, id="one and a half"),
    ],
)
def test_cpu_limit(cpu_max: str, expected: float | None) -> None:
    assert cpu_limit(cpu_max) == expected


def test_a_process_never_takes_more_than_it_may() -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))
