"""How a command of this machine speaks to the configured Prefect server."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

from infra.local.processes import QUIET
from tasks.errors import BacksightError, UsageError
from tasks.settings import PlatformSettings, home

PATIENCE = 5.0


def use_prefect() -> str:
    """Point this process's Prefect client at the configured server, and give that server's API address.

    Prefect reads its environment once, when it is imported, so this comes before anything that imports it. It keeps a
    person's own Prefect profile out of it, and no word about its use leaves the machine.
    """
    api = PlatformSettings.load().prefect_api_url
    if api is None:
        raise UsageError("No Prefect server is configured: run `backsight up`, or set PREFECT_API_URL.")
    if "prefect" not in sys.modules:
        client_home = str(home() / "client")
        os.environ.update(QUIET, PREFECT_API_URL=api, PREFECT_HOME=client_home, PREFECT_LOGGING_LEVEL="ERROR")
    return api


def require_answer(api: str) -> None:
    """Raise where nothing answers: Prefect's own client would retry for a long time first."""
    try:
        urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError) as error:
        raise BacksightError(
            f"Prefect at {api} does not answer: see `backsight status`, or start it with `backsight up`."
        ) from error
