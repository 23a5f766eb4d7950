"""The data plane: plan, prepare, infer, commit. The same four steps on one machine and in pods."""
