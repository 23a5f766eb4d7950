"""What the classes of a job's model are called."""

import hashlib
import json
from collections.abc import Sequence

from twins import labels
from twins.sources import Store
from twins_worker.model_cache import local_root
from twins_worker.settings import Job


def of(job: Job) -> Sequence[str | None]:
    """By class id; ``None`` where nobody said: a model of its own classes, and no ``model.labels``.

    Raises:
        RequestError: ``model.labels`` cannot be read or does not fit the model.
    """
    model = job.model
    if model.labels is None and model.num_classes != len(labels.imagenet()):
        return (None,) * model.num_classes
    store = Store(endpoint=job.storage.endpoint, region=job.storage.region)
    return labels.load(model.labels, model.num_classes, local_root(), store=store)


def digest(names: Sequence[str | None]) -> str:
    """Names their content: SHA-256 in hex."""
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()
