"""Ray Data, as its batch inference guide tells: bytes, ``map`` decodes, an actor predicts, ``write_parquet``."""

import os
from typing import Any

import model
import numpy as np
import pixels
import pyarrow.fs
import ray
import request

asked = request.parse()


class Predictor:
    def __init__(self) -> None:
        self._model = model.load(asked.model, threads=1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        scores = self._model(np.stack(batch["image"]))
        return {"path": batch["path"], "class_id": scores.argmax(axis=1), "score": scores.max(axis=1)}


def decode(row: dict[str, Any]) -> dict[str, Any]:
    return {"path": row["path"], "image": pixels.image(row["bytes"])}


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
store = pyarrow.fs.S3FileSystem(
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    endpoint_override=asked.host,
    scheme="http",
    region="us-east-1",
)
rows = ray.data.read_binary_files(asked.input, filesystem=store, include_paths=True).map(decode)
predictions = rows.map_batches(
    Predictor, batch_size=asked.batch_size, compute=ray.data.ActorPoolStrategy(min_size=1, max_size=2), num_cpus=0.5
)
predictions.write_parquet(asked.output, filesystem=store)
