"""A small hub on loopback: what the hub's own client asks for to fetch a repository, and nothing more."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Serves `repositories`: "owner/name" -> commit -> file -> bytes; the last commit is the newest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.cuts: list[int] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        commits = self.server.repositories.get((api or file)[1] if api or file else "", {})
        asked = (api or file)[2] if api or file else None
        commit = list(commits)[-1] if commits and asked in (None, "main") else asked
        if commit not in commits:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        elif api and "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in commits[commit].items()
            ]
            self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"}, body)
        elif api:
            about = {"id": api[1], "sha": commit, "siblings": [{"rfilename": name} for name in commits[commit]]}
            self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"}, body)
        elif file and file[3] in commits[commit]:
            self._file(commits[commit][file[3]], commit, body)
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)

    def _file(self, content: bytes, commit: str, body: bool) -> None:
        about = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        found = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range") or "")
        begin = int(found[1]) if found else 0
        if begin:
            about["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send(206 if begin else 200, content[begin:], about, body)

    def _send(self, code: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(content[: self.server.cuts.pop(0)] if self.server.cuts else content)
        self.close_connection = True


@contextmanager
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
