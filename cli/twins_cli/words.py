"""Numbers for eyes."""


def duration(seconds: float) -> str:
    """``1h19m``, ``2m05s``, ``12s``, ``0.4s``."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def count(number: int, noun: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def flops(number: float) -> str:
    """``2.8 GFLOP``, ``3.1 PFLOP``."""
    for unit in "GTPE":
        number /= 1e9 if unit == "G" else 1e3
        if number < 1000:
            break
    return f"{number:.1f} {unit}FLOP"


def rate(per_second: float) -> str:
    """``8.9k/s``, ``41.2/s``."""
    return f"{per_second / 1000:.1f}k/s" if per_second >= 1000 else f"{per_second:.1f}/s"


def size(count: float) -> str:
    """Bytes: ``1.2 GB``, ``830 kB``, ``12 B``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
