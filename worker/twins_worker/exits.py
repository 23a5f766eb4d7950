"""Exit codes: the contract between a step and the Job that runs it (``podFailurePolicy``)."""

from enum import IntEnum


class Exit(IntEnum):
    """How a step ended. 65, 75 and 78 are sysexits.h's EX_DATAERR, EX_TEMPFAIL and EX_CONFIG; 143 is 128 + SIGTERM.

    70, EX_SOFTWARE, is a fault of ours: no rule names it, so a Job counts it as a try.
    """

    DONE = 0
    SHARD_CANNOT_WORK = 65
    FAULT = 70
    TRY_AGAIN = 75
    REQUEST_CANNOT_WORK = 78
    TOLD_TO_STOP = 143
