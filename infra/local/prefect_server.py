"""The stack's Prefect server: API, scheduler and page, on Postgres."""

from __future__ import annotations

import sys

from infra.local import http
from infra.local.ports import LOOPBACK
from infra.local.postgres import database_url
from infra.local.service import NotReady, Service, StackPlan


def service(plan: StackPlan) -> Service:
    """The Prefect server, as a service."""
    port, url, folder = plan.ports["prefect"], plan.url("prefect"), plan.layout.folder("prefect")
    return Service(
        name="prefect",
        command=(sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)),
        answers=lambda _: check(url),
        address=url,
        folder=folder,
        environment={
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_HOME": str(folder),
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url(plan.layout, "asyncpg", "prefect"),
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{port}",
        },
        port=port,
        needs=("postgres",),
    )


def check(url: str) -> None:
    """Raise `NotReady` until the API answers and reaches its database."""
    if http.get(f"{url}/api/ready") is None:
        raise NotReady("the API answered nothing")
