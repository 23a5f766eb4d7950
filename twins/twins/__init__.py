"""Twins: six vision transformers, their weights, their pixels and the engines that run them."""

import twins.telemetry  # noqa: F401 - before any engine is imported
