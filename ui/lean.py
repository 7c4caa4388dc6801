"""What of Gradio's work a page of this size can do without.

While a page is built, Gradio makes the served app and writes down the properties of every component four times, at the
end of every part: once, at the end of all, is enough.

For every new session, and each call by a program is one, it writes them down again, in the thread that serves the page.
Of a page of this size that takes a tenth of a second and more, during which nobody is answered, and megabytes that stay
with the session. It is kept for links that restore a whole page (`gr.DeepLinkButton`); the links here say themselves
what they hold (`ui.links`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.routes import App

_Config = TypeVar("_Config", bound=BlocksConfig)


class _SessionConfig(BlocksConfig):
    """The components as one session has them."""

    @staticmethod
    def config_for_block(_id: int, rendered_ids: list[int], block: Any, renderable: Any = None) -> dict[str, Any]:
        """Of what a session renders itself, the properties; of what the page has anyway, nothing."""
        return {} if renderable is None else BlocksConfig.config_for_block(_id, rendered_ids, block, renderable)


class _PageConfig(BlocksConfig):
    """The components of the page. A session gets a copy."""

    def __copy__(self) -> _SessionConfig:
        return _turned(super().__copy__(), _SessionConfig)


@contextmanager
def without_app() -> Iterator[None]:
    """Pages that end inside have no served app yet; `Blocks.queue` makes it."""
    nothing = staticmethod(lambda *_, **__: None)
    with _replaced(App, "create_app", nothing), _replaced(gr.Blocks, "get_config_file", lambda _: {}):
        yield


@contextmanager
def _replaced(owner: type, name: str, value: object) -> Iterator[None]:
    kept = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def begin_at_once(demo: gr.Blocks) -> None:
    """Let the sessions of a page begin without the properties of its components."""
    demo.default_config = _turned(demo.default_config, _PageConfig)


def _turned(config: BlocksConfig, kind: type[_Config]) -> _Config:
    other = kind(config.root_block)
    vars(other).update(vars(config))
    return other
