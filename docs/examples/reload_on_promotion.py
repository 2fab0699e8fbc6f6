"""A server that always answers with the champion: MLflow calls it when an alias moves, and it loads the new model.

    python docs/examples/reload_on_promotion.py --mlflow http://127.0.0.1:5000 --secret-file hook.secret --register

Small on purpose. GET / tells the version in use; POST /promoted is the webhook.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOLERANCE = 300.0
"""Seconds by which a call may be old: a recorded one cannot be played back later."""

LARGEST = 2**20
EVENTS = ("model_version_alias.created",)

Loader = Callable[[str], Any]
"""Given a version, the model."""


class Refused(Exception):
    """The call is not MLflow's, or too old."""


def verified(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> dict[str, Any]:
    """The event in a call that was signed with our secret: `v1,<base64 of HMAC-SHA256 over id.timestamp.body>`."""
    id, sent = headers.get("X-MLflow-Delivery-Id", ""), headers.get("X-MLflow-Timestamp", "")
    signed = f"{id}.{sent}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(wanted.encode(), headers.get("X-MLflow-Signature", "").encode()):
        raise Refused("the signature is not ours")
    if not sent.isdigit() or abs(now - int(sent)) > TOLERANCE:
        raise Refused("the call is too old")
    return dict(json.loads(body))


class Champion:
    """The model in use. Readers keep the old one until the new one is loaded whole."""

    def __init__(self, name: str, load: Loader) -> None:
        self.name = name
        self.load = load
        self.version = ""
        self.model: Any = None
        self.reloading = threading.Lock()

    def reload(self, version: str) -> None:
        """Load a version, then put it in the place of the old one in one step; a failed load changes nothing."""
        with self.reloading:
            if version != self.version:
                model = self.load(version)
                self.model, self.version = model, version

    def follow(self, event: Mapping[str, Any]) -> bool:
        """React to an event; whether it was about us."""
        data = event.get("data", {})
        ours = event.get("entity") == "model_version_alias" and data.get("name") == self.name
        if not ours or data.get("alias") != "champion":
            return False
        self.reload(str(data["version"]))
        return True


def server(champion: Champion, secret: str, port: int) -> ThreadingHTTPServer:
    """The HTTP server on loopback; `port` 0 = any free one."""

    class Calls(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, {"model": champion.name, "version": champion.version})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if size > LARGEST:
                return self.answer(413, {"error": "too large"})
            body = self.rfile.read(size)
            try:
                event = verified(self.headers, body, secret, time.time())
            except Refused as why:
                return self.answer(401, {"error": str(why)})
            # Loading takes longer than MLflow waits for an answer.
            threading.Thread(target=champion.follow, args=(event,), daemon=True).start()
            return self.answer(202, {"accepted": True})

        def answer(self, status: int, said: dict[str, Any]) -> None:
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            print(f"{self.address_string()} {format % args}", flush=True)

    return ThreadingHTTPServer(("127.0.0.1", port), Calls)


def main() -> None:
    """Load the champion, register the webhook if asked to, and serve."""
    import mlflow

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow", required=True, help="address of the MLflow server")
    parser.add_argument("--model", default="backsight")
    parser.add_argument("--port", type=int, default=8085)
    parser.add_argument("--secret-file", type=Path, required=True, help="a file with the secret that both sides know")
    parser.add_argument("--register", action="store_true", help="tell MLflow to call us")
    given = parser.parse_args()
    mlflow.set_tracking_uri(given.mlflow)
    client, secret = mlflow.MlflowClient(given.mlflow, given.mlflow), given.secret_file.read_text().strip()
    champion = Champion(given.model, lambda version: mlflow.pyfunc.load_model(f"models:/{given.model}/{version}"))
    champion.reload(str(client.get_model_version_by_alias(given.model, "champion").version))
    serving = server(champion, secret, given.port)
    address = f"http://127.0.0.1:{serving.server_port}/promoted"
    if given.register:
        client.create_webhook(f"reload-{given.model}", address, list(EVENTS), secret=secret)
    print(f"version {champion.version} of {given.model}; listening at {address}", flush=True)
    serving.serve_forever()


if __name__ == "__main__":
    main()
