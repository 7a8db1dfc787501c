"""A real HTTP server on loopback that serves files, with Range, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer(ThreadingHTTPServer):
    """Serves `files` (path -> bytes).

    `cuts`: how many bytes a request may bring before the connection is cut, one entry a request; then all.
    `answers`: status codes given instead, one entry a request; then 200 and 206.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.answers: list[int] = []
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True
        self.lengths = True
        self.kind = "application/octet-stream"
        self.pace: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        house = self.server
        house.asked.append((self.path, self.headers.get("Range")))
        if house.answers:
            self._only(house.answers.pop(0))
            return
        content = house.files.get(self.path)
        if content is None:
            self._only(404)
            return
        mark = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        begin = self._begin(mark, len(content))
        if begin is None:
            self._only(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        body = content[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if house.ranges:
            self.send_header("ETag", mark)
        if house.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", house.kind)
        self.send_header("Connection", "close")
        self.end_headers()
        cut = house.cuts.pop(0) if house.cuts else len(body)
        self.wfile.write(body[:cut])
        self.wfile.flush()
        if house.pace is not None:
            house.pace.wait(60)
        self.close_connection = True

    def _begin(self, mark: str, size: int) -> int | None:
        """Where to begin; None when that is past the end."""
        found = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range") or "")
        if not found or not self.server.ranges or self.headers.get("If-Range", mark) != mark:
            return 0
        return int(found[1]) if int(found[1]) < size else None

    def _only(self, code: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving() -> Iterator[FileServer]:
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.pace is not None:
            server.pace.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
