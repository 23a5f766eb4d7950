"""The command line that every contestant takes."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """Where from, where to, with what. ``model`` is an ONNX file, a Paddle program's stem, or ``null``."""

    input: str
    output: str
    endpoint: str
    model: str
    batch_size: int

    @property
    def host(self) -> str:
        return self.endpoint.removeprefix("http://")


def parse() -> Request:
    parser = argparse.ArgumentParser()
    parser.add_argument("input", help="bucket/prefix")
    parser.add_argument("output", help="bucket/prefix")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--model", default="null")
    parser.add_argument("--batch-size", type=int, default=16)
    return Request(**vars(parser.parse_args()))
