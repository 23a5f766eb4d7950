"""Which precisions an engine offers."""

from collections.abc import Collection

from twins.errors import RequestError


def require_precision(backend: str, precision: str, offered: Collection[str]) -> None:
    """Raise unless ``backend`` computes in ``precision``.

    Raises:
        RequestError: it does not; the remedy lists what it offers.
    """
    if precision not in offered:
        raise RequestError(
            "engine.precision", precision, f"is not offered by {backend}", f"Choose one of {', '.join(offered)}."
        )
