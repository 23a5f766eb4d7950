"""PaddleClas: its ``predict_cls`` loop with its own operators and Paddle Inference; S3 and Parquet added around it."""

import sys
from importlib.util import find_spec
from types import ModuleType

import boto3
import cv2
import model
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import request
from paddle import inference

# The package's own __init__ imports its whole command line; its operators need none of that.
package = ModuleType("paddleclas")
package.__path__ = find_spec("paddleclas").submodule_search_locations
sys.modules["paddleclas"] = package
from paddleclas.deploy.python.preprocess import create_operators  # noqa: E402

OPERATORS = [
    {"ResizeImage": {"resize_short": 256, "interpolation": "bicubic", "backend": "pil"}},
    {"CropImage": {"size": 224}},
    {
        "NormalizeImage": {
            "scale": 1 / 255,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "order": "",
            "channel_num": 3,
        }
    },
    {"ToCHWImage": None},
]


class Predictor:
    """``deploy/utils/predictor.py`` with MKL-DNN on, the program as PaddleClas exports it."""

    def __init__(self, stem: str) -> None:
        config = inference.Config(f"{stem}.json", f"{stem}.pdiparams")
        config.enable_new_ir(True)
        config.enable_new_executor(True)
        config.disable_gpu()
        config.enable_mkldnn()
        config.set_cpu_math_library_num_threads(2)
        config.disable_glog_info()
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self._input.copy_from_cpu(images)
        self._predictor.run()
        return self._output.copy_to_cpu()


class Null:
    def __call__(self, images: np.ndarray) -> np.ndarray:
        return model.Null()((images[:, :, :, :].transpose(0, 2, 3, 1) * 32 + 128).clip(0, 255).astype(np.uint8))


def preprocess(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    for operator in operators:
        image = operator(image)
    return image


asked = request.parse()
operators = create_operators(OPERATORS)
predict = Null() if asked.model == "null" else Predictor(asked.model)
store = boto3.client("s3", endpoint_url=asked.endpoint)
bucket, prefix = asked.input.split("/", 1)
pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
keys = [entry["Key"] for page in pages for entry in page["Contents"]]
rows = []
for start in range(0, len(keys), asked.batch_size):
    batch = keys[start : start + asked.batch_size]
    images = [preprocess(store.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in batch]
    scores = predict(np.stack(images))
    rows += [
        {"path": key, "class_id": int(row.argmax()), "score": float(row.max())}
        for key, row in zip(batch, scores, strict=True)
    ]
sink = pa.BufferOutputStream()
pq.write_table(pa.Table.from_pylist(rows), sink)
bucket, prefix = asked.output.split("/", 1)
store.put_object(Bucket=bucket, Key=f"{prefix}/predictions.parquet", Body=sink.getvalue().to_pybytes())
