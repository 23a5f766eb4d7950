"""Twins: six vision transformers, their weights, their pixels and the engines that run them."""
