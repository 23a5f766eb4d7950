"""The accuracy guard: does a reduced precision say what FP32 says, on the job's own pictures?"""

from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twins import engines
from twins.engines import Images
from twins.errors import RequestError
from twins_worker import settings


class AccuracyGuardFailed(RequestError):
    """A reduced precision changes too many predictions."""


def check(asked: settings.Engine, backend: str, model: Path, pictures: Images) -> float:
    """The share of ``pictures`` (``[n, 224, 224, 3]``) whose top-1 class is the same as in FP32, on the same engine.

    Raises:
        AccuracyGuardFailed: it is below ``asked.guard.min_agreement``.
    """
    reduced = _top1(backend, model, asked.precision, asked.images_per_call, pictures)
    agreement = float((reduced == _top1(backend, model, "fp32", asked.images_per_call, pictures)).mean())
    if agreement < asked.guard.min_agreement:
        raise AccuracyGuardFailed(
            "engine.precision",
            asked.precision,
            f"agrees with fp32 on the top class of {agreement:.2%} of {len(pictures)} pictures of this job, "
            f"less than engine.guard.minAgreement, {asked.guard.min_agreement:.2%}",
            "Use fp32 or a higher precision, or lower the threshold if that is good enough.",
        )
    return agreement


def _top1(backend: str, model: Path, precision: str, batch_size: int | None, pictures: Images) -> npt.NDArray[np.int64]:
    with closing(engines.load(backend, model, precision=precision, batch_size=batch_size)) as engine:
        classes: npt.NDArray[np.int64] = engine.run(pictures).logits.argmax(axis=1)
        return classes
