"""Which language is served at which address, and the headers that go along."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.serving import FrontDoor


@pytest.fixture
def visitor() -> TestClient:
    def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    inner = Starlette(routes=[Route("/{path:path}", page)])
    return TestClient(FrontDoor(inner, embedders="'self'"), follow_redirects=False)


@pytest.mark.parametrize(
    ("address", "accepted", "place"),
    [
        ("/", "en", None),
        ("/", "zh-CN,en;q=0.5", "./zh-CN"),
        ("/?tab=text", "zh", "./zh-CN?tab=text"),
        ("/?lang=en", "zh", None),
        ("/?lang=zh-CN&tab=text&text=", "en", "./zh-CN?tab=text&text="),
        ("/zh-CN", "en", None),
        ("/zh-CN?lang=zh", "en", None),
        ("/zh-CN?lang=en&tab=text", "zh", "./?tab=text&lang=en"),
        ("/gradio_api/info?lang=zh", "zh", None),
    ],
)
def test_each_language_has_its_address(visitor: TestClient, address: str, accepted: str, place: str | None) -> None:
    response = visitor.get(address, headers={"Accept-Language": accepted})
    assert response.headers.get("location") == place
    assert response.status_code == (200 if place is None else 307)


def test_a_page_may_differ_by_language_and_says_so(visitor: TestClient) -> None:
    assert visitor.get("/").headers["vary"] == "Accept-Language"
    assert "vary" not in visitor.get("/gradio_api/info").headers


def test_headers_that_keep_a_page_to_itself(visitor: TestClient) -> None:
    headers = visitor.get("/").headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
