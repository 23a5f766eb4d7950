"""What a listing passes over."""

from enum import Enum


class Skipped(Enum):
    """Why something that lies in the input has no row; the value follows a number ("3 hidden")."""

    HIDDEN = "hidden (a part of the name starts with '.' or '_')"
    FILTERED = "left out by input.include and input.exclude"
    OUTPUT = "below output.uri"
    NOT_ASKED = "of another kind than input.format"
    NO_FILE = "in a tar, but no regular files"
    UNCHANGED = "unchanged since incremental.since"
    NOT_FAILED = "not among the failures of retryFailedFrom"
