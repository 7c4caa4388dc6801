"""The view "Layers" in a browser: what it shows, one selection through all maps, what links restore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Visit
from tests.e2e.test_accessibility import audit
from tests.e2e.walk import painted, settle, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

expect.set_options(timeout=60_000)  # a busy machine takes its time
PHONE = {"viewport": {"width": 390, "height": 844}}
START = "?tab=inside&tool=layers&items=photographs"


def arrive(visit: Visit, query: str = START) -> Page:
    """At the view, once its matrix and its maps are there."""
    page = visit.page
    page.goto(f"{visit.home}/{query}")
    page.locator("#layers-compare .matrix").first.wait_for()
    page.locator(".layer-maps:not([hidden])").wait_for()
    settle(page)
    return page


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    yield arrive(visit)
    assert visit.complaints == []
    assert visit.other_hosts == []


def choose(page: Page, place: str, option: str) -> None:
    page.locator(f"{place} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_it_states_what_it_compares_and_a_null_stands_beside_it(page: Page) -> None:
    told = page.locator("#layers-compare .statement")
    expect(told).to_contain_text("n = 31 pairs")
    expect(told).to_contain_text("linear CKA, debiased")
    page.locator("#layers-null").get_by_text("untrained network").click()
    expect(page.locator("#layers-compare .matrix")).to_have_count(2)
    expect(page.locator("#layers-compare .matrix").nth(1)).to_contain_text("untrained")
    choose(page, "#layers-measure", "Procrustes distance")
    expect(page.locator("#layers-compare .matrix").first).to_contain_text("a distance: small is alike")
    expect(page).to_have_url(re.compile("measure=procrustes&null=untrained"))


def test_what_the_keyboard_only_passes_through_and_another_measure_leave_the_rest_as_it_is(page: Page) -> None:
    page.locator("#layers-geometry").scroll_into_view_if_needed()
    numbers = page.locator("#layers-geometry summary").first.element_handle()
    for control in ("#layers-items", "#layers-other-model", "#layers-measure"):
        page.locator(f"{control} input").focus()
        page.keyboard.press("Tab")
    settle(page)
    choose(page, "#layers-measure", "Procrustes distance")
    expect(page.locator("#layers-compare .matrix").first).to_contain_text("a distance: small is alike")
    assert numbers.evaluate("element => element.isConnected")
    page.locator("#layers-null").get_by_text("untrained network").click()
    expect(page.locator("#layers-compare .matrix")).to_have_count(2)
    page.wait_for_function("element => !element.isConnected", arg=numbers)  # it has a null beside it as well


def test_one_selection_goes_through_all_maps(page: Page) -> None:
    maps = [page.locator(f".small-maps figure:nth-child({number}) canvas") for number in (1, 2)]
    before = [painted(one) for one in maps]
    page.locator(".layer-maps .item select").select_option(index=3)
    told = page.locator(".layer-maps .told")
    expect(told).to_contain_text("Nearest:")
    for one, picture in zip(maps, before, strict=True):
        until(page, partial(painted, one), picture.__ne__)
    first = told.inner_text()
    page.locator(".layer-maps .large figure canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(told).not_to_have_text(first)
    page.keyboard.press("ArrowUp")
    expect(told).to_contain_text("layer 2")
    expect(page.locator("#inside-place output").first).to_contain_text("2 of")
    page.locator(".layer-maps .card li button").first.click()
    expect(page.locator(".layer-maps .card h3")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(told).to_have_text("")


def test_a_matrix_is_walked_by_keys_and_chooses_a_layer(page: Page) -> None:
    page.locator("#layers-compare td[data-row='0'][data-column='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#layers-compare .told")).to_contain_text("layer 2 against layer 1")
    expect(page.locator("#layers-compare tr.chosen th").first).to_have_text("2")
    expect(page.locator(".layer-maps .large figcaption")).to_contain_text("layer 2")


def test_what_costs_comes_when_it_is_reached(page: Page) -> None:
    page.locator("#layers-geometry").scroll_into_view_if_needed()
    expect(page.locator("#layers-geometry .chart")).to_have_count(6)
    page.locator("#layers-knows").scroll_into_view_if_needed()
    expect(page.locator("#layers-knows")).to_contain_text("no labels")


def test_maps_by_another_method_come_one_after_another(page: Page) -> None:
    page.locator("#layers-map").get_by_text("t-SNE", exact=True).click()
    expect(page.locator(".small-maps figure .small").last).to_contain_text("perplexity")
    expect(page).to_have_url(re.compile("map=tsne"))


def test_files_are_made_on_request(page: Page) -> None:
    page.locator("#layers-make-files").click()
    expect(page.locator("#layers-files")).to_contain_text("layers-comparison")
    expect(page.locator("#layers-files")).to_contain_text("svg")


def test_own_items_are_compared_and_too_few_refused(visit: Visit) -> None:
    page = arrive(visit, "?tab=inside&tool=layers&modality=text&items=things")
    page.get_by_text("Compare on your own items").click()
    page.locator("#layers-own-text textarea").fill("one\ntwo")
    page.locator("#layers-own-use").click()
    expect(page.locator("#layers-problem")).to_contain_text("these are 2")
    page.locator("#layers-own-text textarea").fill("one\ntwo\nthree\n<img src=x onerror=alert(1)> ${4}\nfive")
    page.locator("#layers-own-use").click()
    expect(page.locator("#layers-compare .statement")).to_contain_text("n = 5 pairs")
    page.locator(".layer-maps .item select").select_option(index=4)
    expect(page.locator(".layer-maps .card h3")).to_have_text("<img src=x onerror=alert(1)> ${4}")
    assert visit.complaints == []


def test_a_link_restores_the_view(visit: Visit) -> None:
    query = "&items=things&other_model=text&other_role=student&measure=mutual_knn&null=shuffled"
    page = arrive(visit, f"?tab=inside&tool=layers{query}")
    expect(page.locator("#layers-measure input")).to_have_value("Mutual nearest neighbours")
    expect(page.locator("#layers-compare .matrix")).to_have_count(2)
    expect(page.locator("#layers-compare .statement")).to_contain_text("text · student")
    expect(page).to_have_url(re.compile(query))


@pytest.mark.parametrize("visit", [PHONE, {**PHONE, "color_scheme": "dark", "locale": "zh-CN"}], indirect=True)
def test_on_a_phone_nothing_is_wider_than_the_page_and_axe_finds_nothing(visit: Visit) -> None:
    page = arrive(visit)
    page.locator("#layers-geometry").scroll_into_view_if_needed()
    page.locator("#layers-geometry .chart").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert [finding for finding in audit(page, "layers") if finding.fault is None] == []
