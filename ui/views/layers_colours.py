"""Positions of one input as colours, layer by layer: patches as a picture, frames as a band, tokens as marked words."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ui.words import say

if TYPE_CHECKING:
    from analysis.subject import Shown

MOST_TOKENS = 120
"""Of a text: more are not drawn."""


def layer_colours(shown: Shown, colours: NDArray[np.uint8], shares: Sequence[float], names: Sequence[str]) -> str:
    """The section.

    Args:
        colours: (layers, sides times positions, 3), as `analysis.component_colours.followed_colours` gives them.
        shares: (layers,) of the variance.
        names: of the sides, one or two.
    """
    match shown.modality:
        case "vision":
            return _pictures(shown, colours, shares, names)
        case "audio":
            return _bands(shown, colours, shares, names)
        case _:
            return _texts(shown, colours, shares, names)


def _pictures(shown: Shown, colours: NDArray[np.uint8], shares: Sequence[float], names: Sequence[str]) -> str:
    assert shown.grid is not None
    assert shown.picture is not None
    rows = []
    for side, name in enumerate(names):
        part = colours[:, side * len(shown) : (side + 1) * len(shown)]
        tiles = "".join(
            f'<figure><img alt="{escape(_alt(name, layer, share))}" src="{_png(one.reshape(*shown.grid, 3))}">'
            f"<figcaption>{escape(_layer(layer))}<span>{_share(share)}</span></figcaption></figure>"
            for layer, (one, share) in enumerate(zip(part, shares, strict=True))
        )
        seen = (
            f'<figure class="seen"><img alt="{escape(say("layers.seen"))}" src="{_png(shown.picture)}">'
            f"<figcaption>{escape(say('layers.seen'))}</figcaption></figure>"
        )
        rows.append(f'<h3>{escape(name)}</h3><div class="patches">{seen}{tiles}</div>')
    return "".join(rows)


def _bands(shown: Shown, colours: NDArray[np.uint8], shares: Sequence[float], names: Sequence[str]) -> str:
    rows = []
    for side, name in enumerate(names):
        part = colours[:, side * len(shown) : (side + 1) * len(shown)]
        bands = "".join(
            f'<li><span>{escape(_layer(layer))}</span><img alt="{escape(_alt(name, layer, share))}" '
            f'src="{_png(one[None])}"><span>{_share(share)}</span></li>'
            for layer, (one, share) in reversed(list(enumerate(zip(part, shares, strict=True))))
        )
        rows.append(f'<h3>{escape(name)}</h3><ul class="bands">{_wave(shown)}{bands}</ul>')
    start, end = "0 s", f"{len(shown) * shown.step:.2f} s"
    return f'{"".join(rows)}<div class="bands-axis small"><span>{start}</span><span>{end}</span></div>'


def _wave(shown: Shown) -> str:
    """The waveform above the bands, on the same time axis."""
    assert shown.waveform is not None
    count = 400
    used = shown.waveform[: max(1, round(len(shown) * shown.step * shown.rate))]
    edges = np.linspace(0, len(used), count + 1).astype(int)
    peak = float(np.abs(used).max()) or 1.0
    tops = [float(np.abs(used[a : max(b, a + 1)]).max()) / peak for a, b in zip(edges[:-1], edges[1:], strict=True)]
    path = "".join(f"M{i} {20 - 19 * top:.1f}V{20 + 19 * top:.1f}" for i, top in enumerate(tops))
    return (
        f'<li class="wave"><span>{escape(say("layers.wave"))}</span><svg viewBox="0 0 {count} 40" '
        f'preserveAspectRatio="none" aria-hidden="true"><path d="{path}"/></svg><span></span></li>'
    )


def _texts(shown: Shown, colours: NDArray[np.uint8], shares: Sequence[float], names: Sequence[str]) -> str:
    count = min(len(shown), MOST_TOKENS)
    rows = []
    for side, name in enumerate(names):
        part = colours[:, side * len(shown) : (side + 1) * len(shown)]
        lines = "".join(
            f'<tr><th scope="row">{escape(_layer(layer))}</th>'
            + "".join(_token(shown.labels[i], one[i]) for i in range(count))
            + f"<td>{_share(share)}</td></tr>"
            for layer, (one, share) in reversed(list(enumerate(zip(part, shares, strict=True))))
        )
        rows.append(
            f'<h3>{escape(name)}</h3><div class="box" role="region" tabindex="0" aria-label="{escape(name)}">'
            f'<table class="tokens">{lines}</table></div>'
        )
    more = f'<p class="small">{escape(say("layers.tokens_cut", count=count))}</p>' if count < len(shown) else ""
    return "".join(rows) + more


def _token(label: str, colour: NDArray[np.uint8]) -> str:
    red, green, blue = (int(c) for c in colour)
    channels = [c / 255 for c in (red, green, blue)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    ink = "#000" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18 else "#fff"
    return f'<td style="background:rgb({red},{green},{blue});color:{ink}">{escape(label.strip() or "␣")}</td>'


def _layer(layer: int) -> str:
    return say("layers.layer", layer=layer) if layer else say("layers.layer_input")


def _alt(name: str, layer: int, share: float) -> str:
    return say("layers.colours_alt", side=name, layer=_layer(layer), share=_share(share))


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
