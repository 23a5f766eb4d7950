"""``export.json``: what an exported model says of itself."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

REVISION = 1
"""Changes with what ``export`` writes for the same weights: part of what names a model in a cache."""


@dataclass(frozen=True)
class Exported:
    """What ``export.json`` holds beside the files."""

    network: str
    num_classes: int
    weights: str
    """SHA-256 over every parameter's name, shape and values."""
    batch: int | None
    preprocessing: str
    """SHA-256 of the preprocessing that the network expects."""
    versions: dict[str, str]
    difference: dict[str, float]
    """Measured, by format: the largest difference of a logit, relative to the largest logit."""

    def to_json(self) -> str:
        names = {"num_classes": "numClasses"}
        return json.dumps({names.get(key, key): value for key, value in asdict(self).items()}, indent=2) + "\n"

    @classmethod
    def read(cls, directory: Path) -> "Exported":
        """The description of the exported model in ``directory``."""
        fields = json.loads((directory / "export.json").read_text())
        return cls(num_classes=fields.pop("numClasses"), **fields)

    def same_model(self, other: "Exported") -> bool:
        """Whether the files are interchangeable: all but the measurements are equal."""
        return asdict(self) | {"difference": None} == asdict(other) | {"difference": None}
