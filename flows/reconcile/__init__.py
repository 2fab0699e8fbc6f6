"""Holds what Prefect believes against what the cluster runs; `python -m flows.reconcile` is its loop."""
