"""Asking a server on loopback whether it answers, with the standard library alone: `up` and `status` stay quick."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from infra.local.service import NotReady

TIMEOUT = 5.0

# A proxy in the environment must not see, or break, what goes to loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> Any:
    """The JSON (or text) that a server answers with status 2xx; anything else is `NotReady`."""
    return _ask(urllib.request.Request(url))


def post(url: str, body: Any) -> Any:
    """The JSON that a server answers to a JSON body."""
    return _ask(urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}))


def status_of(url: str) -> int:
    """The status that a server answers with, whichever it is."""
    try:
        with _opener.open(url, timeout=TIMEOUT) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        raise NotReady(reason_of(error)) from error


def reason_of(error: OSError) -> str:
    """What went wrong with a request, in the system's words or the server's."""
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason)


def _ask(request: urllib.request.Request) -> Any:
    try:
        with _opener.open(request, timeout=TIMEOUT) as response:
            text = response.read().decode()
    except OSError as error:
        raise NotReady(reason_of(error)) from error
    try:
        return json.loads(text)
    except ValueError:
        return text
