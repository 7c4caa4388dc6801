"""The report of a session: one file that needs nothing else, and says what everything was made from."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.figures.files import data_of
from analysis.figures.statement import MISLEADS, Statement
from analysis.report import WORDS, Section, card_digest, html_report, inline_svg, versions
from tests.figure_samples import SAMPLES

HOSTILE = '"><script>alert(1)</script>&'


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    first, second = SAMPLES["layer_matrix"](), SAMPLES["masked_patches"]()
    files = {f"layers.{end}": content for end, content in data_of(first).items()}
    return html_report(
        [
            Section(title="Layers", figure=first, text="A paragraph.", data=files),
            Section(title=HOSTILE, figure=second, data={"mask.csv": "https://example.org/mask.csv"}),
        ],
        settings={"seed": 0, "layers": [1, 2], HOSTILE: HOSTILE},
        models={"tiny": "0" * 64, HOSTILE: None},
        about="23 November",
    )


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    read = Reader(page)
    (policy,) = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not {"script", "link", "iframe", "img", "object", "embed"} & {tag for tag, _ in read.tags}
    for tag, attributes in read.tags:
        for name in ("src", "href", "xlink:href", "data"):
            if name in attributes and tag != "a":
                assert attributes[name].startswith(("#", "data:image/png;base64,")), (tag, name)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_whatever_comes_from_outside_is_text(page: str) -> None:
    assert "<script" not in page
    assert Reader(page).text.count(HOSTILE) == 5  # contents, heading, a setting's name and value, a model


def test_a_figure_is_a_picture_with_its_number_in_words(page: str) -> None:
    figure = SAMPLES["layer_matrix"]()
    pictures = [svg for svg in Reader(page).all("svg") if svg.get("role") == "img"]
    assert len(pictures) == 2
    assert f'<title id="f1-alt">{figure.alt}</title>' in page
    assert pictures[0]["aria-labelledby"] == "f1-alt"


def test_ids_are_not_shared_and_all_are_found(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Reader(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'(?:href="|url\()#([\w-]+)', page))
    assert wanted <= set(ids)
    assert any(name.startswith("f2-") for name in wanted)


def test_statement_warning_settings_and_versions_are_printed(page: str) -> None:
    text = Reader(page).text
    for expected in (
        "linear CKA, debiased",
        MISLEADS["layer_matrix"],
        "A paragraph.",
        "23 November",
        "[1, 2]",
        "0" * 64,
        "not known",
        *versions().values(),
    ):
        assert expected in text, expected
    assert {"Python", "torch", "numpy", "matplotlib"} <= versions().keys()


def test_data_are_part_of_the_file(page: str) -> None:
    links = {link.get("download"): link["href"] for link in Reader(page).all("a") if "download" in link}
    assert links["mask.csv"] == "https://example.org/mask.csv"
    content = base64.b64decode(links["layers.npz"].removeprefix("data:application/octet-stream;base64,"))
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert arrays["matrix"].shape == (4, 4)
    assert links["layers.csv"].startswith("data:text/csv;base64,")


def test_words_of_another_language() -> None:
    figure = SAMPLES["layer_matrix"]()
    table = {MISLEADS["layer_matrix"]: "\u5c0f\u5fc3\u3002", "estimator": "\u4f30\u8ba1\u91cf"}
    words = {"title": "\u6a21\u578b\u5185\u90e8", "figure": "\u56fe {number}"}
    page = html_report(
        [Section(title="a", figure=figure)],
        language="zh-CN",
        words=words,
        translate=lambda text: table.get(text, text),
    )
    text = Reader(page).text
    assert '<html lang="zh-CN">' in page
    assert all(word in text for word in (words["title"], *table.values()))
    assert "\u56fe 1" in text
    assert WORDS["versions"] in text  # said in English where a word is missing


def test_any_figure_and_a_statement_of_ones_own() -> None:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    page = html_report([Section(title="a <b>", figure=figure, statement=Statement(model="mine", n=4))])
    assert '<title id="f1-alt">a &lt;b&gt;</title>' in page
    assert "mine" in Reader(page).text
    assert "<nav" not in page


def test_an_inline_figure_brings_no_style_for_the_page() -> None:
    svg = inline_svg(SAMPLES["attention_on_photo"](), "alt", "x-")
    assert "<style" not in svg
    assert "<metadata" not in svg
    assert 'id="figure_1"' not in svg
    assert svg.startswith("<svg")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///etc"])
def test_links_lead_to_the_web_or_to_a_file_beside(link: str) -> None:
    with pytest.raises(ValueError, match="expected a web address or a path for a"):
        html_report([Section(title="a", figure=SAMPLES["spectrum"](), data={"a": link})])


def test_a_report_has_figures() -> None:
    with pytest.raises(ValueError, match="sections: expected"):
        html_report([])


def test_a_card_is_known_by_its_digest(tmp_path: Path) -> None:
    assert card_digest(tmp_path) is None
    (tmp_path / "card.json").write_bytes(b"{}")
    assert card_digest(tmp_path) == hashlib.sha256(b"{}").hexdigest()
