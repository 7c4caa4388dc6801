"""The endpoints by plain HTTP, without a client's courtesy."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx

SECONDS = 120
"""To wait for an answer."""


def uploaded(address: str, name: str, content: bytes) -> dict[str, Any]:
    """A file as an argument of a call."""
    response = httpx.post(f"{address}/gradio_api/upload", files={"files": (name, content)}, timeout=SECONDS)
    response.raise_for_status()
    return {"path": response.json()[0], "meta": {"_type": "gradio.FileData"}}


@cache
def parameters(address: str) -> dict[str, list[dict[str, Any]]]:
    """Of each endpoint, by its name."""
    named = httpx.get(f"{address}/gradio_api/info", timeout=SECONDS).json()["named_endpoints"]
    return {name.removeprefix("/"): endpoint["parameters"] for name, endpoint in named.items()}


def called(address: str, endpoint: str, arguments: list[Any]) -> tuple[str, Any]:
    """The last event of a call, `complete` or `error`, and what it says. What is left out at the end of the arguments
    stands at its defaults."""
    left_out = parameters(address)[endpoint][len(arguments) :]
    arguments = [*arguments, *(one["parameter_default"] for one in left_out)]
    start = httpx.post(f"{address}/gradio_api/call/{endpoint}", json={"data": arguments}, timeout=SECONDS)
    if start.status_code != 200:
        return "error", start.json()
    event = start.json()["event_id"]
    text = httpx.get(f"{address}/gradio_api/call/{endpoint}/{event}", timeout=SECONDS).text
    kind, _, data = text.strip().rpartition("event: ")[2].partition("\ndata: ")
    return kind, json.loads(data)


def answered(address: str, endpoint: str, arguments: list[Any]) -> Any:
    """What an endpoint answers."""
    kind, said = called(address, endpoint, arguments)
    assert kind == "complete", said
    return said[0]


def refused(address: str, endpoint: str, arguments: list[Any]) -> str:
    """The sentence with which an endpoint refuses."""
    kind, said = called(address, endpoint, arguments)
    assert kind == "error", said
    assert isinstance(said, dict), said
    return str(said.get("error") or said.get("detail"))
