"""The first tab: what this is, a picture of the method, and three things to try in one click each."""

from __future__ import annotations

from html import escape

import gradio as gr

from ui.words import say

_TILES = 6
_MASKED = (2, 3)
_TILE, _GAP = 20, 4
_LEFT, _RIGHT = 5, 215
"""Where the two columns of the picture start; each is as wide as its tiles: 140."""


def build() -> None:
    """Lay out the tab. Its links are followed by the page's script."""
    gr.HTML(
        f'<section class="start"><div class="what"><p class="lead">{escape(say("start.what"))}</p>'
        f"<p>{escape(say('start.page'))}</p>{_things_to_try()}"
        f'<p class="learn"><a href="?tour=1" data-tour="1">{escape(say("start.learn"))}</a></p></div>'
        f"<figure>{_method()}<figcaption>{escape(say('start.caption'))}</figcaption></figure></section>",
        elem_classes="html-plain",
    )


def _things_to_try() -> str:
    things = (
        ("?tab=speech&tool=transcribe&example=0", say("start.speak"), say("start.speak_what")),
        ("?tab=text&tool=classify_text&example=0", say("start.write"), say("start.write_what")),
        ("?tab=vision&tool=segment_image&example=0", say("start.photo"), say("start.photo_what")),
    )
    links = "".join(
        f'<li><a href="{escape(link)}" data-link><strong>{escape(name)}</strong><span>{escape(what)}</span></a></li>'
        for link, name, what in things
    )
    return f'<ul class="try">{links}</ul>'


def _method() -> str:
    """Top to bottom: what each network sees, the networks, what they make of it; the target is the teacher's."""
    title = escape(say("start.picture"))
    return (
        f'<svg class="method" viewBox="0 0 360 250" role="img" aria-labelledby="method-title">'
        f'<title id="method-title">{title}</title><defs>'
        '<pattern id="method-masked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line x1="0" y1="0" x2="0" y2="6" class="hatch"/></pattern>'
        '<marker id="method-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" class="ink"/></marker></defs>'
        f"{_words(75, 14, say('start.sees_part'))}{_words(285, 14, say('start.sees_all'))}"
        f"{_tiles(_LEFT, 24, 'seen', 'masked')}{_tiles(_RIGHT, 24, 'seen', 'seen')}"
        f"{_arrow(75, 48, 75, 68)}{_arrow(285, 48, 285, 68)}"
        f"{_network(_LEFT, 'student', say('start.student'))}{_network(_RIGHT, 'teacher', say('start.teacher'))}"
        f"{_arrow(147, 104, 211, 104, dashed=True)}{_words(180, 96, say('start.follows'), small=True)}"
        f"{_arrow(75, 138, 75, 158)}{_arrow(285, 138, 285, 158)}"
        f"{_tiles(_LEFT, 162, 'unused', 'student')}{_tiles(_RIGHT, 162, 'unused', 'target')}"
        f"{_arrow(151, 172, 209, 172, both=True)}{_words(180, 164, say('start.compared'), small=True)}"
        f"{_words(75, 204, say('start.prediction'))}{_words(285, 204, say('start.target'))}"
        f"{_words(285, 222, say('start.target_of'), small=True)}</svg>"
    )


def _tiles(left: int, top: int, outside: str, inside: str) -> str:
    """One for each position of the input; the middle ones are those that the student does not see."""
    return "".join(
        f'<rect x="{left + i * (_TILE + _GAP)}" y="{top}" width="{_TILE}" height="{_TILE}" rx="2" '
        f'class="tile {inside if i in _MASKED else outside}"/>'
        for i in range(_TILES)
    )


def _network(left: int, role: str, name: str) -> str:
    """A box of layers, of which the teacher's upper three give the target."""
    layers = "".join(
        f'<rect x="{left + 8}" y="{122 - 14 * i}" width="124" height="8" rx="2" '
        f'class="layer {"used" if role == "teacher" and i > 0 else ""}"/>'
        for i in range(3)
    )
    return (
        f'<g class="{role}"><rect x="{left}" y="72" width="140" height="66" rx="6" class="network"/>{layers}'
        f"{_words(left + 70, 88, name)}</g>"
    )


def _words(x: int, y: int, text: str, *, small: bool = False) -> str:
    kind = ' class="small"' if small else ""
    return f'<text x="{x}" y="{y}" text-anchor="middle"{kind}>{escape(text)}</text>'


def _arrow(x1: int, y1: int, x2: int, y2: int, *, dashed: bool = False, both: bool = False) -> str:
    start = ' marker-start="url(#method-end)"' if both else ""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="arrow{" dashed" if dashed else ""}"'
        f'{start} marker-end="url(#method-end)"/>'
    )
