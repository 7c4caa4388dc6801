"""A session's figures as one HTML file that needs nothing else: with settings, versions and the models that were looked
at, in the reader's language, on a light or a dark ground.

Nothing in it is loaded from elsewhere, and its policy forbids that: figures are inline SVG, data are part of the file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from matplotlib.figure import Figure

from analysis.figures.files import save_figure
from analysis.figures.plate import Plate
from analysis.figures.statement import NOTHING_ELSE, Phrase, Statement
from data2vec_core.checkpoints.files import CARD_FILE

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "title": "Inside the model",
        "contents": "Figures",
        "figure": "Figure {number}",
        "made_from": "Made from",
        "misleads": "Mind",
        "data": "Data",
        "settings": "Settings",
        "versions": "Versions",
        "models": "Models",
        "digest": "SHA-256 of the card",
        "unknown": "not known",
    }
)
"""What the report says besides, in English; another language brings a mapping with the same keys."""
PACKAGES: Mapping[str, str] = MappingProxyType(
    {"data2vec lab": "data2vec-lab", "torch": "torch", "numpy": "numpy", "matplotlib": "matplotlib"}
)
"""Whose versions are told, by the name of the distribution."""
DPI = 110
"""Of photos and matrices inside the figures."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_KINDS = {".csv": "text/csv", ".npz": "application/octet-stream", ".json": "application/json"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0; --link: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --ink: #e6e8ea; --faint: #a3abb3; --line: #363c43; --link: #7db7f0; }
}
body { margin: 0 auto; padding: 24px 16px; max-width: 60rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.15rem; margin: 0 0 8px; }
a { color: var(--link); }
section { margin: 40px 0; }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; margin: 8px 0; }
dl { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 8px 0; font-size: 0.875rem;
  font-variant-numeric: tabular-nums; }
dt { display: inline; margin-right: 8px; color: var(--faint); }
dd { display: inline; margin: 0; }
p { margin: 8px 0; }
footer { border-top: 1px solid var(--line); padding-top: 16px; }
.number { color: var(--faint); font-weight: normal; }
@media print { section { break-inside: avoid; } }
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One figure of a report."""

    title: str
    figure: Figure
    statement: Statement | None = None
    """None: what a `Plate` states itself."""
    alt: str = ""
    """Alternative text; empty: that of a `Plate`, or else the title."""
    text: str = ""
    """A paragraph above the figure."""
    data: Mapping[str, bytes | str] = field(default_factory=dict)
    """By the name of the file: its content, which becomes part of the report, or where it lies."""


def html_report(
    sections: Sequence[Section],
    *,
    settings: Mapping[str, Any] = MappingProxyType({}),
    models: Mapping[str, str | None] = MappingProxyType({}),
    language: str = "en",
    words: Mapping[str, str] = WORDS,
    translate: Callable[[str], str] = str,
    about: str = "",
) -> str:
    """A whole HTML page.

    Args:
        sections: figures in their order.
        settings: of the session; values are printed as text, or as JSON where they are lists or mappings.
        models: digest of the card by the model's name, see `card_digest`; None where there is no card.
        language: of the words, as HTML's `lang`.
        words: as `WORDS`; keys that are missing are said in English.
        translate: from the English templates of `analysis.figures.statement` to the language.
        about: a paragraph below the title, such as the day.

    Raises:
        ValueError: no sections, or a link that is neither a web address nor a path.
    """
    if not sections:
        raise ValueError("sections: expected at least one figure")
    said = {key: escape(words.get(key, text)) for key, text in WORDS.items()}
    shown = [_section(one, number, said, translate) for number, one in enumerate(sections, 1)]
    listed = [f'<li><a href="#figure-{number}">{escape(one.title)}</a></li>' for number, one in enumerate(sections, 1)]
    digests = {
        name: said["unknown"] if digest is None else f"{said['digest']}: <code>{escape(digest)}</code>"
        for name, digest in models.items()
    }
    parts = [
        f"<h1>{said['title']}</h1>",
        f"<p>{escape(about)}</p>" if about else "",
        f'<nav aria-label="{said["contents"]}"><ol>{"".join(listed)}</ol></nav>' if len(sections) > 1 else "",
        *shown,
        "<footer>",
        _list(said["models"], digests),
        _list(said["settings"], {name: escape(_printed(value)) for name, value in settings.items()}),
        _list(said["versions"], {name: escape(version) for name, version in versions().items()}),
        "</footer>",
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{said["title"]}</title>'
        f"<style>{_STYLE}</style>"
    )
    body = "\n".join(part for part in parts if part)
    return f'<!DOCTYPE html>\n<html lang="{escape(language)}"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers and pictures depend on, as far as they are installed."""
    found = {"Python": platform.python_version()}
    for name, distribution in PACKAGES.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return found


def card_digest(folder: str | Path) -> str | None:
    """SHA-256 of a checkpoint's card, by which a reader can tell whether it is the same one; None without a card."""
    card = Path(folder) / CARD_FILE
    return hashlib.sha256(card.read_bytes()).hexdigest() if card.is_file() else None


def inline_svg(figure: Figure, alt: str, prefix: str) -> str:
    """A figure as an SVG element for a page that holds others, too.

    Its ids get a prefix, for they are numbered alike in every figure; it brings no style sheet, which would hold for
    the whole page; and it is as wide as its place, but no wider than it was made.
    """
    for short, space in (("", _SVG), ("xlink", _XLINK)):
        ElementTree.register_namespace(short, space)
    root = ElementTree.fromstring(save_figure(figure, "svg", dpi=DPI))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, prefix + value)
            elif name in ("href", f"{{{_XLINK}}}href") and value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{prefix}"))
    width = figure.get_figwidth() * 96
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # what matplotlib's style sheet says of every element, inherited instead
    root.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})
    root.attrib.update({"role": "img", "aria-labelledby": f"{prefix}alt", "style": f"max-width: {width:.0f}px"})
    title = ElementTree.Element(f"{{{_SVG}}}title", {"id": f"{prefix}alt"})
    title.text = alt
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")


def _section(one: Section, number: int, said: Mapping[str, str], translate: Callable[[str], str]) -> str:
    figure = one.figure
    statement, alt, misleads = one.statement, one.alt, Phrase("")
    if isinstance(figure, Plate):
        statement = figure.statement if statement is None else statement
        alt = alt or figure.alt.said(translate)
        misleads = figure.misleads
    pairs = {translate(name): escape(translate(value)) for name, value in (statement or NOTHING_ELSE).pairs()}
    parts = [
        f'<section id="figure-{number}" aria-labelledby="heading-{number}">',
        f'<h2 id="heading-{number}"><span class="number">{said["figure"].replace("{number}", str(number))}</span> '
        f"{escape(one.title)}</h2>",
        f"<p>{escape(one.text)}</p>" if one.text else "",
        f"<figure>{inline_svg(figure, alt or one.title, f'f{number}-')}",
        f"<figcaption>{escape(alt)}</figcaption></figure>" if alt else "</figure>",
        _list(said["made_from"], pairs, level=3),
        f"<p><strong>{said['misleads']}:</strong> {escape(misleads.said(translate))}</p>" if misleads.text else "",
        f"<p>{said['data']}: {', '.join(_link(name, content) for name, content in one.data.items())}</p>"
        if one.data
        else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _list(title: str, pairs: Mapping[str, str], level: int = 2) -> str:
    """Names, which are escaped here, and values, which are HTML; empty without any."""
    if not pairs:
        return ""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs.items())
    heading = f"<h2>{title}</h2>" if level == 2 else ""
    label = "" if heading else f' aria-label="{title}"'
    return f"{heading}<dl{label}>{rows}</dl>"


def _link(name: str, content: bytes | str) -> str:
    if isinstance(content, bytes):
        kind = _KINDS.get(Path(name).suffix.lower(), "application/octet-stream")
        target = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    elif urlsplit(content).scheme.lower() in ("", "http", "https"):
        target = content
    else:
        raise ValueError(f"data: expected a web address or a path for {name}, got {content!r}")
    return f'<a href="{escape(target)}" download="{escape(name)}">{escape(name)}</a>'


def _printed(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
