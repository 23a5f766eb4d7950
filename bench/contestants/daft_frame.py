"""Daft: a glob of paths, its own download, a class with the model, ``write_parquet`` (its batch inference guide)."""

import os

import daft
import model
import numpy as np
import pixels
import request
from daft import DataType
from daft.functions import download
from daft.io import IOConfig, S3Config

asked = request.parse()
store = IOConfig(
    s3=S3Config(
        endpoint_url=asked.endpoint,
        region_name="us-east-1",
        key_id=os.environ["AWS_ACCESS_KEY_ID"],
        access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        use_ssl=False,
    )
)


@daft.func(return_dtype=DataType.tensor(DataType.uint8(), (224, 224, 3)), use_process=False)
def decode(data: bytes) -> np.ndarray:
    return pixels.image(data)


@daft.cls(max_concurrency=2, use_process=False)
class Predictor:
    def __init__(self) -> None:
        self._model = model.load(asked.model, threads=1)

    @daft.method.batch(return_dtype=DataType.int64(), batch_size=asked.batch_size)
    def __call__(self, images: daft.Series) -> np.ndarray:
        return self._model(np.stack(images.to_pylist())).argmax(axis=1)


frame = daft.from_glob_path(f"s3://{asked.input.rstrip('/')}/**", io_config=store)
images = frame.with_column("image", decode(download(frame["path"], io_config=store)))
predictions = images.with_column("class_id", Predictor()(images["image"])).select("path", "class_id")
predictions.write_parquet(f"s3://{asked.output}", io_config=store)
