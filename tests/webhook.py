"""A webhook on the loopback interface that answers, refuses, or hangs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """A context manager; ``url`` is what goes into ``alerts.urls``.  ``status`` is what it answers with."""

    def __init__(self, status: int = 200, *, hangs: bool = False) -> None:
        self.status = status
        self.notes: list[dict[str, Any]] = []  # the bodies of what it was sent, refused ones included
        self._answers = threading.Event()
        if not hangs:
            self._answers.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_port}/alerts"

    def let_go(self) -> None:
        """Answer those who wait, and everybody from now on."""
        self._answers.set()

    def __enter__(self) -> Webhook:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.notes.append(json.loads(body))
                hook._answers.wait()
                try:
                    self.send_response(hook.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # the caller did not wait

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler
