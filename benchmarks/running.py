"""A running app, and a client that asks it by HTTP as programs do."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks import ROOT

EXAMPLES: Final = ROOT / "assets" / "examples"
PATIENCE_SECONDS: Final = 300.0
"""Of whoever asks: longer is an error."""


@dataclass(frozen=True)
class Running:
    """An app whose page has answered."""

    address: str
    process: int
    seconds: float
    """From its start to the first page."""

    @property
    def resident_mb(self) -> float:
        """Memory of its process."""
        return resident_mb(self.process)


def resident_mb(process: int) -> float:
    """Resident memory of a process, in megabytes; 0 where it is gone."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0


@contextmanager
def running(
    command: Sequence[str] = ("app.py",), *, port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start an app of this project, and end it with the block.

    Args:
        command: of Python.
        port: a free one by default.
        environment: variables to add.

    Raises:
        TimeoutError: it does not answer.
        RuntimeError: it has ended.
    """
    port = port or _free_port()
    variables = {
        **os.environ,
        **(environment or {}),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
    }
    start = time.monotonic()
    app = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(verify=False, timeout=10) as asking:  # one client: to make one takes a processor's time
            while not _answers(asking, address):
                if app.poll() is not None:
                    raise RuntimeError(f"the app ended with exit code {app.returncode}")
                if time.monotonic() - start > PATIENCE_SECONDS:
                    raise TimeoutError("the app does not answer")
                time.sleep(0.02)
        yield Running(address, app.pid, time.monotonic() - start)
    finally:
        app.terminate()
        app.wait()


class Endpoints:
    """What an app says about itself."""

    def __init__(self, address: str) -> None:
        named = httpx.get(f"{address}/gradio_api/info", timeout=PATIENCE_SECONDS).json()["named_endpoints"]
        self.parameters = {name.removeprefix("/"): one["parameters"] for name, one in named.items()}
        listed = httpx.get(f"{address}/config", timeout=PATIENCE_SECONDS).json()["dependencies"]
        self.functions = {one["api_name"]: one["id"] for one in listed}


class Client:
    """Asks endpoints by HTTP."""

    def __init__(self, address: str, endpoints: Endpoints | None = None) -> None:
        self.endpoints = endpoints or Endpoints(address)
        self.http = httpx.Client(base_url=f"{address}/gradio_api", timeout=PATIENCE_SECONDS)

    def call(self, endpoint: str, *first: Any, **others: Any) -> tuple[str, Any]:
        """Wait for one answer.

        Args:
            first: its first arguments, of which paths are uploaded; the others stand at their defaults.
            others: some of those by name.

        Returns:
            `complete` or `error`, and what was said.
        """
        start = self.http.post(f"/call/{endpoint}", json={"data": self.arguments(endpoint, *first, **others)})
        event = start.raise_for_status().json()["event_id"]
        text = self.http.get(f"/call/{endpoint}/{event}").raise_for_status().text
        kind, _, data = text.strip().rpartition("event: ")[2].partition("\ndata: ")
        return kind, json.loads(data)

    def seconds(self, endpoint: str, *first: Any, **others: Any) -> float:
        """How long one answer takes.

        Raises:
            RuntimeError: it is an error.
        """
        start = time.monotonic()
        kind, said = self.call(endpoint, *first, **others)
        if kind != "complete":
            raise RuntimeError(f"{endpoint}: {said}")
        return time.monotonic() - start

    def arguments(self, endpoint: str, *first: Any, **others: Any) -> list[Any]:
        """All arguments, as the app takes them."""
        rest = self.endpoints.parameters[endpoint][len(first) :]
        defaults = [others.get(one["parameter_name"], one["parameter_default"]) for one in rest]
        return [*(self._uploaded(one) if isinstance(one, Path) else one for one in first), *defaults]

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()

    def _uploaded(self, file: Path) -> dict[str, Any]:
        path = self.http.post("/upload", files={"files": (file.name, file.read_bytes())}).raise_for_status().json()[0]
        return {"path": path, "meta": {"_type": "gradio.FileData"}}


def _answers(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(address).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])
