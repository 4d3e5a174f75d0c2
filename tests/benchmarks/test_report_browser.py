"""The report in a real browser: no errors, no requests, nothing wider than a phone, tables that sort by keyboard."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CONTRAST, OVERFLOWING, Page, chromium

from edge_aver.benchmarks.report import write_report
from edge_aver.benchmarks.results import ConditionPredictions, Result

WIDTHS = (360, 768, 1280)

COLUMN = 'Array.from(document.querySelector("table.sortable").tBodies[0].rows, (row) => row.cells[{}].innerText.trim())'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def report(make_result: Callable[..., Result], tmp_path: Path) -> Path:
    audio = (ConditionPredictions(name="audio", predictions=make_result(correct=30).predictions),)
    results = [
        make_result("fp32", scale=2.5, correct=53, conditions=audio),
        make_result(conditions=audio),
        make_result("fp16", "a-device-with-a-name-that-goes-on-and-on-and-on", network=(), end_to_end=()),
    ]
    refused = [("a-file-with-a-long-name-of-its-own-and-no-space-in-it-20261124.json", "changed since it was written")]
    return write_report(results, tmp_path / "report.html", refused=refused)


def test_it_opens_without_errors_or_requests(page: Page, report: Path) -> None:
    page.console.clear()
    page.open(report, width=1280)
    assert page.ask("document.querySelectorAll('svg').length") > 5
    assert page.ask("performance.getEntriesByType('resource').length") == 0
    assert page.console == []


def test_the_browser_would_have_told(page: Page, tmp_path: Path) -> None:
    leaky = tmp_path / "leaky.html"
    leaky.write_text('<html><img src="http://localhost:1/a.png"><script>console.error("oh")</script></html>')
    page.console.clear()
    page.open(leaky, width=1280)
    assert any("oh" in message for message in page.console)
    assert page.ask("performance.getEntriesByType('resource').length") == 1
    page.console.clear()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_but_tables_in_their_boxes_is_wider_than_the_screen(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask(OVERFLOWING) == []
    assert page.ask("[...document.querySelectorAll('table')].every((part) => part.closest('.scroll[tabindex]'))")


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_what_is_behind_them(page: Page, report: Path, dark: bool) -> None:
    page.open(report, width=1280, dark=dark)
    assert page.ask("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)"
    )
    assert page.ask(CONTRAST) == []


def test_a_table_sorts_by_keyboard_with_what_is_missing_last(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    given = page.ask(COLUMN.format(0))
    page.ask("document.querySelectorAll('table.sortable thead button')[3].focus()")
    state = "document.querySelectorAll('table.sortable thead th')[3].ariaSort"
    assert page.ask(state) == "none"
    page.press("Enter", 13, "\r")
    assert page.ask(state) == "ascending"
    up = page.ask(COLUMN.format(3))
    page.press(" ", 32, " ")
    assert page.ask(state) == "descending"
    down = page.ask(COLUMN.format(3))
    assert [up[-1], down[-1]] == ["not measured"] * 2
    assert [float(text) for text in up[:-1]] == sorted(float(text) for text in up[:-1])
    assert down[:-1] == up[:-1][::-1]
    assert sorted(page.ask(COLUMN.format(0))) == sorted(given)


def test_the_first_stop_of_the_keyboard_skips_to_the_tables(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    page.press("Tab", 9)
    assert page.ask("document.activeElement.className") == "skip"
    assert page.ask("document.activeElement.getBoundingClientRect().left") >= 0
    assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter", 13, "\r")
    assert page.ask("location.hash") == "#main"


def test_a_screen_reader_finds_landmarks_headings_and_names(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    roles = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in page.call("Accessibility.getFullAXTree")["nodes"]
        if not node["ignored"]
    ]
    names = {role: [name for kind, name in roles if kind == role] for role, _ in roles}
    assert {"banner", "navigation", "main", "contentinfo"} <= set(names)
    assert all(name.strip() for role in ("image", "table", "region", "button", "link") for name in names[role])
    assert len(names["image"]) > 5
    assert names["columnheader"]
    assert names["rowheader"]


def test_in_print_nothing_stays_folded(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    assert page.ask("[...document.querySelectorAll('details')].some((part) => !part.open)")
    pdf = page.call("Page.printToPDF", printBackground=True)["data"]
    assert len(pdf) > 50_000
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    size = "parseFloat(getComputedStyle(document.querySelector({})).fontSize)"
    body = page.ask(size.format("'main p'"))
    assert all(page.ask(size.format(f"'{part}'")) <= body for part in ("caption", "figcaption", ".why", "dl", "td"))
    page.ask("dispatchEvent(new Event('beforeprint'))")
    assert page.ask("[...document.querySelectorAll('details')].every((part) => part.open)")
    page.call("Emulation.setEmulatedMedia", media="")


def test_heads_are_plain_text_while_printing_and_sort_again_after(page: Page, report: Path) -> None:
    """Chromium repeats a table's head on every page of a print, without the buttons in it."""
    page.open(report, width=1280)
    titles = "[...document.querySelector('table.sortable').tHead.rows[0].cells].map((head) => head.{}.innerText)"
    shown = page.ask(titles.format("querySelector('button')"))
    assert shown[0] == "Artifact"
    page.ask("dispatchEvent(new Event('beforeprint'))")
    assert page.ask("[...document.querySelectorAll('th button')].every((part) => !part.hasChildNodes())")
    assert page.ask("document.querySelector('table.sortable th > span').innerText") == "Artifact"
    page.ask("dispatchEvent(new Event('afterprint'))")
    assert page.ask(titles.format("querySelector('button')")) == shown
    assert page.ask("document.querySelectorAll('th > span').length") == page.ask(
        "document.querySelectorAll('table:not(.sortable) th > span').length"
    )


def test_published_systems_are_drawn_on_a_phone_too(
    make_result: Callable[..., Result], five_folds: Callable[..., list[Result]], page: Page, tmp_path: Path
) -> None:
    results = [*five_folds(), replace(make_result(), started_utc="2026-11-25T03:18:00.123Z")]
    page.open(write_report(results, tmp_path / "published.html"), width=360)
    assert page.ask("document.querySelector('#published-0-caption + svg').getBoundingClientRect().width") > 300
    assert page.ask(OVERFLOWING) == []
