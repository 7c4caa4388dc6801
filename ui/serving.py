"""What stands between the network and Gradio: each visitor's language, and headers that Gradio does not send."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.words import LANGUAGES, STANDARD, understood

PAGES: Final = {"/", *(f"/{language}" for language in LANGUAGES if language != STANDARD)}
"""Where the page can be opened: an address for each language."""

MOST_BYTES: Final = 32_000_000
"""Of a request that is not an upload: far more than every text that any tool takes."""
_TOO_LONG: Final = "This request is too long. Files are to be uploaded, and texts have the limits that the page states."
_UPLOAD: Final = "/upload"
_FILE: Final = re.compile(r"/(?:file[=/]\s*https?:|proxy=)", re.IGNORECASE)

_POLICY: Final = (
    "default-src 'self' data: blob:",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio compiles the templates of its HTML component
    "style-src 'self' 'unsafe-inline'",
    "object-src 'none'",
    "base-uri 'self'",
)


class FrontDoor:
    """ASGI middleware for `launch(app_kwargs={"middleware": [...]})`."""

    def __init__(self, app: ASGIApp, *, embedders: str, language: str = STANDARD) -> None:
        """
        Args:
            language: for visitors whose browsers ask for none that the page speaks.
            embedders: sources of pages that may show this one in a frame, as the directive `frame-ancestors` of
                Content-Security-Policy takes them: `'self' https://huggingface.co`.
        """
        self._app = app
        self._language = language
        self._headers = {
            "Content-Security-Policy": "; ".join((*_POLICY, f"frame-ancestors {embedders}")),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _is_relay(scope["path"]):
            await PlainTextResponse("Not found", status_code=404)(scope, receive, send)
            return
        if not scope["path"].endswith(_UPLOAD):
            length = Headers(scope=scope).get("content-length", "0")
            if length.isdigit() and int(length) > MOST_BYTES:
                await PlainTextResponse(_TOO_LONG, status_code=413)(scope, receive, send)
                return
            receive = _measured(receive)
        if (place := elsewhere(scope, self._language)) is not None:
            await RedirectResponse(place, headers={"Vary": "Accept-Language"})(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"] in PAGES:
                    headers.add_vary_header("Accept-Language")
            await send(message)

        await self._app(scope, receive, answer)


def _is_relay(path: str) -> bool:
    """Whether Gradio would fetch something of another host for the caller, which this app has no use for."""
    found = _FILE.search(path)
    return found is not None


def _measured(receive: Receive) -> Receive:
    """The same request, broken off where it is longer than it may be: one that does not state its length."""
    received = 0

    async def measured() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return message if received <= MOST_BYTES else {"type": "http.disconnect"}

    return measured


def elsewhere(scope: Scope, otherwise: str = STANDARD) -> str | None:
    """Where the page is in the language that the address asks for, or else, of the address `/`, in the one that the
    browser speaks; None where it is that one already. The rest of the query goes along."""
    if scope["path"] not in PAGES:
        return None
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    asked = dict(query).get("lang")
    if asked is None and scope["path"] != "/":
        return None
    language = understood(asked, Headers(scope=scope).get("accept-language", ""), otherwise)
    if scope["path"] == _path(language):
        return None
    rest = [(name, value) for name, value in query if name != "lang"]
    if language == STANDARD:
        rest.append(("lang", language))  # or the browser's own language would be chosen again
    return f".{_path(language)}{'?' if rest else ''}{urlencode(rest)}"


def _path(language: str) -> str:
    return "/" if language == STANDARD else f"/{language}"
