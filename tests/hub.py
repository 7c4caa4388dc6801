"""A small hub on this machine, for tests: serves folders through the file addresses of the public one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LocalHub:
    """What is published: a folder a model, each with the one revision `main`."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []
        """`METHOD path` of everything asked so far."""
        self.url = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a GET."""
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            hub_id, revision = "/".join(parts[2:4]), parts[5] if parts[4:5] == ["revision"] else "main"
            if refusal := self._refusal(hub_id, revision):
                return refusal
            return 200, {"Content-Type": "application/json"}, self._describe(hub_id)
        if len(parts) >= 5 and parts[2] == "resolve":
            hub_id, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
            if refusal := self._refusal(hub_id, revision):
                return refusal
            file = self.folders[hub_id] / name
            if not file.is_file():
                return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b"Entry not found"
            body = file.read_bytes()
            return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'}, body
        return 404, {}, b"Not found"

    def _refusal(self, hub_id: str, revision: str) -> tuple[int, dict[str, str], bytes] | None:
        if hub_id not in self.folders:
            return 401, {"X-Error-Code": "RepoNotFound"}, b"Repository not found"
        if hub_id in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b"Access is restricted"
        if revision not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"Invalid rev id"
        return None

    def _describe(self, hub_id: str) -> bytes:
        folder = self.folders[hub_id]
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [{"rfilename": str(path.relative_to(folder)), "size": path.stat().st_size} for path in files]
        return json.dumps({"id": hub_id, "modelId": hub_id, "sha": COMMIT, "siblings": siblings}).encode()


@contextmanager
def running_hub() -> Iterator[LocalHub]:
    """A hub that answers on a free port of the loopback interface."""
    hub = LocalHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
