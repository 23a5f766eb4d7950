"""What a job asks for: the part of a TwinsJob's spec that its workers read. Pure data: the operator imports this.

Field names in JSON are the CRD's (camelCase); ``crds/twinsjobs.yaml`` documents and bounds each.
"""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from twins.registry import NetworkName

Backend = Literal["auto", "tensorrt", "cuda", "onednn", "openvino", "onnxruntime"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
Count = Annotated[int, Field(ge=1)]
Percent = Annotated[str, Field(pattern=r"^(100|[0-9]{1,2})%$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Model(_Settings):
    name: NetworkName
    weights: str | None = None
    """URI of a ``.pdparams`` or of an exported model, or ``random:SEED``; by default the published weights."""
    labels: str | None = None
    num_classes: Count = 1000


class Input(_Settings):
    uri: str
    format: Literal["auto", "images", "tar", "manifest"] = "auto"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: Count | None = None


class Output(_Settings):
    uri: str
    top_k: Count = 5
    embedding: bool = False


class Guard(_Settings):
    """Top-1 agreement with FP32 below which a reduced precision stops the job."""

    min_agreement: Annotated[float, Field(ge=0, le=1)] = 0.99
    sample: Count = 512


class Engine(_Settings):
    backend: Backend = "auto"
    precision: Precision = "fp32"
    batch_size: Count | Literal["auto"] = "auto"
    guard: Guard = Guard()

    @property
    def images_per_call(self) -> int | None:
        """``None``: what suits the engine."""
        return None if self.batch_size == "auto" else self.batch_size


class Storage(_Settings):
    endpoint: str | None = None
    region: str | None = None
    cache: str | None = None


class FailurePolicy(_Settings):
    max_failed_images: Percent | Annotated[int, Field(ge=0)] = "1%"


class Incremental(_Settings):
    since: str


class Job(_Settings):
    """One job, whole. ``model_dump_json(by_alias=True)`` is what a pod is started with."""

    name: str = "local"
    model: Model
    input: Input
    output: Output
    engine: Engine = Engine()
    storage: Storage = Storage()
    images_per_shard: Count | Literal["auto"] = "auto"
    failure_policy: FailurePolicy = FailurePolicy()
    incremental: Incremental | None = None
    retry_failed_from: str | None = None

    @property
    def digest(self) -> str:
        """Names everything that decides the rows: two jobs with the same digest may share an output."""
        return self._digest_without("name", "storage", "failure_policy")

    @property
    def planned_digest(self) -> str:
        """Names what decides the plan. A job whose model could not be had keeps its plan when that is mended."""
        model = () if self.incremental else ("model", "engine")
        return self._digest_without("name", "storage", "failure_policy", *model)

    @property
    def prepared_digest(self) -> str:
        """Names what decides the model and its engine. A reduced precision is judged on the input's pictures."""
        plan = ("output", "images_per_shard", "incremental", "retry_failed_from")
        pictures = ("input",) if self.engine.precision == "fp32" else ()
        return self._digest_without("name", "storage", "failure_policy", *plan, *pictures)

    def _digest_without(self, *fields: str) -> str:
        return hashlib.sha256(self.model_dump_json(by_alias=True, exclude=set(fields)).encode()).hexdigest()
