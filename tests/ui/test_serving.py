"""Which language is served at which address, and the headers that go along."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.serving import MOST_BYTES, FrontDoor


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


def test_a_host_chooses_the_language_for_those_who_speak_none_of_ours() -> None:
    inner = Starlette(routes=[Route("/", lambda _: PlainTextResponse("page"))])
    visitor = TestClient(FrontDoor(inner, embedders="'self'", language="zh-CN"), follow_redirects=False)

    def place(accepted: str) -> str | None:
        return visitor.get("/", headers={"Accept-Language": accepted}).headers.get("location")

    assert [place("fr"), place(""), place("en-GB,fr;q=0.5"), place("zh")] == ["./zh-CN", "./zh-CN", None, "./zh-CN"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://example.org/x",
        "/gradio_api/file=HTTPS://example.org/x",
        "/gradio_api/file=%20http://example.org/x",
        "/gradio_api/file/http://example.org/x",
        "/gradio_api/proxy=https://someone.hf.space/x",
    ],
)
def test_nothing_is_fetched_from_other_hosts_for_a_visitor(visitor: TestClient, path: str) -> None:
    assert visitor.get(path).status_code == 404


def test_a_request_that_is_no_upload_has_bounds() -> None:
    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    inner = Starlette(routes=[Route("/{path:path}", length, methods=["POST"])])
    visitor = TestClient(FrontDoor(inner, embedders="'self'"), raise_server_exceptions=False)
    large, pieces = bytes(MOST_BYTES + 1), (bytes(MOST_BYTES // 2 + 1) for _ in range(2))
    assert visitor.post("/gradio_api/queue/join", content=large[:-1]).text == str(MOST_BYTES)
    assert visitor.post("/gradio_api/queue/join", content=large).status_code == 413
    assert visitor.post("/gradio_api/queue/join", content=pieces).status_code != 200  # which state no length
    assert visitor.post("/gradio_api/upload", content=large).status_code == 200  # Gradio has bounds for these
