"""A front for an S3 server that ignores conditions on PUT: it honours If-None-Match and If-Match, as S3 does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSAL = (
    b"<?xml version='1.0'?><Error><Code>PreconditionFailed</Code><Message>A condition did not hold</Message></Error>"
)


class Front(BaseHTTPRequestHandler):
    """Hands every request on unchanged, but a PUT whose condition fails. Refusals are counted."""

    protocol_version = "HTTP/1.1"
    behind: str
    one_at_a_time: threading.Lock
    refused: list[str]
    etags: dict[str, str]

    def do_PUT(self) -> None:
        with self.one_at_a_time:
            # Conditions concern objects, which have no query; the etag is what this front itself saw go by.
            present = self.etags.get(self.path)
            wanted = self.headers.get("If-Match")
            if (self.headers.get("If-None-Match") == "*" and present) or (wanted and present != wanted):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.refused.append(self.path)
                self._answer(412, [("Content-Type", "application/xml")], REFUSAL)
            else:
                self._hand_on()

    def do_GET(self) -> None:
        self._hand_on()

    do_HEAD = do_POST = do_GET

    def do_DELETE(self) -> None:
        self.etags.pop(self.path, None)
        self._hand_on()

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.behind)
        # The signature covers the Host header, so it goes on as it came.
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        if self.command == "PUT" and answer.status == 200:
            self.etags[self.path] = answer.headers.get("ETag", "")
        self._answer(answer.status, answer.getheaders(), answer.read())
        upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = {n.lower(): v for n, v in headers}.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: pytest shows what matters."""


@contextmanager
def conditional_proxy(behind: str) -> Iterator[tuple[str, list[str]]]:
    """Address of a front for the server at `behind`, and the paths whose PUT it has refused so far."""
    state = {"behind": behind, "one_at_a_time": threading.Lock(), "refused": [], "etags": {}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundFront", (Front,), state))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", state["refused"]  # type: ignore[misc]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
