"""The command ``twins``."""
