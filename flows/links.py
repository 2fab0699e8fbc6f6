"""Addresses of pages that a person may open."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from tasks.settings import PlatformSettings

PATIENCE = 5.0


def flow_run_page(flow_run_id: object) -> str | None:
    """A flow run on Prefect's page."""
    api = PlatformSettings.load().prefect_api_url
    return f"{api.rstrip('/').removesuffix('/api')}/runs/flow-run/{flow_run_id}" if api else None


def mlflow_page(run_id: str | None) -> str | None:
    """A run on MLflow's page; None where nothing is tracked or the server does not know it.

    Asks over plain HTTP: importing MLflow for one address would cost every stage two seconds.
    """
    server = PlatformSettings.load().mlflow_tracking_uri
    if run_id is None or server is None or not server.startswith("http"):
        return None
    root = server.rstrip("/")
    try:
        with urllib.request.urlopen(f"{root}/api/2.0/mlflow/runs/get?run_id={run_id}", timeout=PATIENCE) as answer:
            experiment = json.load(answer)["run"]["info"]["experiment_id"]
    except (urllib.error.URLError, TimeoutError, KeyError):
        return None
    return f"{root}/#/experiments/{experiment}/runs/{run_id}"
