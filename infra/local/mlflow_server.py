"""The stack's MLflow server: runs and registry in Postgres, artifacts in a folder that only it touches.

Artifacts go through the server into `<home>/mlflow/artifacts`, not into the S3 server: what must last is published in
the artefact store anyway, MLflow's copies are for looking at, and a folder needs neither boto3 nor credentials.
"""

from __future__ import annotations

import base64
import hashlib
import sys

from infra.local import http
from infra.local.ports import LOOPBACK
from infra.local.postgres import database_url
from infra.local.service import Service, StackPlan


def service(plan: StackPlan) -> Service:
    """The MLflow server, as a service."""
    port, url, folder = plan.ports["mlflow"], plan.url("mlflow"), plan.layout.folder("mlflow")
    names = (f"{LOOPBACK}:{port}", f"localhost:{port}")
    options = {
        "--host": LOOPBACK,
        "--port": str(port),
        "--workers": "1",
        "--backend-store-uri": database_url(plan.layout, "psycopg", "mlflow"),
        "--artifacts-destination": str(folder / "artifacts"),
        "--allowed-hosts": ",".join(names),
        "--cors-allowed-origins": ",".join(f"http://{name}" for name in names),
    }
    return Service(
        name="mlflow",
        command=(sys.executable, "-m", "mlflow", "server", *(word for pair in options.items() for word in pair)),
        answers=lambda _: check(url),
        address=url,
        folder=folder,
        environment={
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 700 MB of job workers that nothing here uses
            # Webhooks may call receivers on this machine; their secrets lie encrypted in the database.
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": webhook_key(plan.keys.secret),
        },
        port=port,
        needs=("postgres",),
    )


def webhook_key(secret: str) -> str:
    """A Fernet key that follows from the stack's own secret, so that it outlives a restart and is kept nowhere else."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"mlflow webhooks {secret}".encode()).digest()).decode()


def check(url: str) -> None:
    """Raise `NotReady` until the server answers from its database."""
    http.get(f"{url}/api/2.0/mlflow/experiments/search?max_results=1")
