"""An emulator of AWS on loopback: moto's server, with the two answers on budgets that it lacks.

Run by a Python that has moto: `python aws_server.py PORT`. Knows nothing of this house.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(port: str) -> None:
    """Serve until the process is ended."""
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.budgets.responses import BudgetsResponse
    from moto.server import main as serve

    BudgetsResponse.list_tags_for_resource = tags
    BudgetsResponse.describe_subscribers_for_notification = subscribers
    serve(["--host", "127.0.0.1", "--port", port])


def tags(response: Any) -> str:
    """None: moto keeps no tags of budgets."""
    return json.dumps({"ResourceTags": []})


def subscribers(response: Any) -> str:
    """Who was named for a notification of a budget."""
    wanted = response._get_param("Notification")
    budgets = response.backend.budgets[response._get_param("AccountId")]
    held = budgets[response._get_param("BudgetName")].notifications
    same = ("NotificationType", "ComparisonOperator", "Threshold")
    found = next(n for n in held if all(n.details[key] == wanted[key] for key in same))
    return json.dumps({"Subscribers": found.subscribers})


if __name__ == "__main__":
    main(sys.argv[1])
