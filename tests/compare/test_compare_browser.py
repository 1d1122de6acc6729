"""The page in a real browser: nothing is fetched, nothing complains, and all of it works by mouse and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lossary.compare import Result
from tests.compare.compare_results import EVIL, cancer, engel, nasty_classes, nasty_regression

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Result]], Path]:
    """The page of a result, written once."""
    directory = tmp_path_factory.mktemp("pages")

    def write(result: Callable[[], Result]) -> Path:
        path = directory / f"{result.__name__}.html"
        return path if path.exists() else result().write(path)

    return write


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1100, **options: Any) -> Iterator[Page]:
    """The page, which must neither fetch nor complain nor ask."""
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)
    page, noise = context.new_page(), []
    page.on("console", lambda message: noise.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: noise.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (noise.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: noise.append(request.url) if not _local(request.url) else None)
    page.goto(path.as_uri())
    yield page
    context.close()
    assert noise == []


def _local(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:"))


def names(page: Page, table: str) -> list[str]:
    """What the rows of a table are called, from the top."""
    return page.locator(f"section[aria-labelledby={table}] table.sortable tbody").first.locator("th").all_inner_texts()


@pytest.mark.parametrize(
    ("result", "states"),
    [
        (engel, [("light", 1100), ("dark", 1100), ("dark", 360)]),
        (cancer, [("dark", 1100), ("light", 360)]),
        (nasty_regression, [("dark", 360), ("light", 1100)]),
        (nasty_classes, [("light", 360), ("dark", 1100)]),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_the_page_opens_quietly_in_every_theme_and_width(
    browser: Browser, written: Callable[..., Path], result: Callable[[], Result], states: list[tuple[Any, int]]
) -> None:
    """It opens in the first state, and follows into the others."""
    with opened(browser, written(result), states[0][1], color_scheme=states[0][0]) as page:
        for scheme, width in states:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
            charts = page.locator(".plot")
            assert charts.count() >= 5
            for place in range(charts.count()):
                chart = charts.nth(place)
                assert chart.locator("path.point, path.js-line, .points path").count() >= 1
                box = chart.locator(".main-svg").first.bounding_box()
                assert box is not None
                assert 0 <= box["x"] < box["x"] + box["width"] <= width
                assert box["width"] > 0.85 * width or width > 360
            assert page.evaluate("document.documentElement.scrollWidth") == width
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_first_screen_holds_the_answer_and_its_picture(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel)) as page:
        for part in ("h1", ".answer", "#chart-dots"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 800


def test_names_of_the_data_show_as_text(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(nasty_regression)) as page:
        assert EVIL in page.title() or EVIL in page.locator(".about").inner_text()
        assert EVIL in page.locator("#chart-residuals .xtitle").text_content()
        assert EVIL in page.locator("#chart-shapes .xtitle").text_content()
        assert EVIL in page.locator("section[aria-labelledby=heaviest] thead").inner_text()
        assert page.locator("script").count() == 3
    with opened(browser, written(nasty_classes)) as page:
        assert EVIL in page.locator("section[aria-labelledby=heaviest] tbody").inner_text()
        assert page.locator("img").count() == 0


def test_a_dot_says_what_it_stands_for(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel)) as page:
        page.locator("#chart-dots .point").first.hover(force=True)
        expect(page.locator("#chart-dots .hoverlayer")).to_contain_text("(seed 0, fold 1)")


def test_tables_sort_by_click_and_by_keyboard(browser: Browser, written: Callable[..., Path]) -> None:
    by_metric = {
        metric: [
            row["loss"].removesuffix("()")
            for row in sorted(engel().as_dict()["losses"], key=lambda row: row["scores"][metric]["mean"])
        ]
        for metric in ("mae", "rmse", "pinball_0.9")
    }
    with opened(browser, written(engel)) as page:

        def shown() -> list[str]:
            return [name.split("\n")[0].split(" recommended")[0].strip() for name in names(page, "leaderboard")]

        table = page.locator("section[aria-labelledby=leaderboard] table")
        references = table.locator("tbody.references").inner_text()
        assert shown() == by_metric["mae"]
        header = table.get_by_role("columnheader", name="RMSE")
        header.get_by_role("button").click()
        assert shown() == by_metric["rmse"]
        expect(header).to_have_attribute("aria-sort", "ascending")
        assert table.locator("th[aria-sort]").count() == 1
        header.get_by_role("button").click()
        assert shown() == by_metric["rmse"][::-1]
        expect(header).to_have_attribute("aria-sort", "descending")
        expect(page.locator("#sorted")).to_have_text("sorted by RMSE ↓, descending")
        header = table.get_by_role("columnheader", name="pinball 0.9")
        header.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert shown() == by_metric["pinball_0.9"]
        page.keyboard.press("Space")
        assert shown() == by_metric["pinball_0.9"][::-1]
        table.get_by_role("columnheader", name="loss").first.get_by_role("button").click()
        assert shown() == sorted(shown(), key=str.lower)
        assert table.locator("tbody.references").inner_text() == references


def test_what_is_missing_is_sorted_last(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(cancer)) as page:
        header = page.locator("#leaderboard ~ .scroll").get_by_role("columnheader", name="log loss")
        for _ in range(2):
            header.get_by_role("button").click()
            assert names(page, "leaderboard")[-1].startswith("Hinge")


def test_every_control_is_reached_by_keyboard(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel)) as page:
        wanted = page.locator("button, summary").count()
        reached = 0
        for _ in range(3 * wanted):
            page.keyboard.press("Tab")
            kind = page.evaluate("document.activeElement.localName")
            if kind == "body":
                break
            if kind in {"button", "summary"}:
                reached += 1
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline == "solid"
        assert reached == wanted


def test_curves_are_shown_and_hidden_by_keyboard(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel)) as page:
        lines = page.locator("#chart-shapes path.js-line")
        before = lines.count()
        button = page.locator("button[data-chart=shapes]").first
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-pressed", "false")
        assert lines.count() == before - 2  # the loss and its slope
        page.keyboard.press("Enter")
        expect(lines).to_have_count(before)


def test_charts_follow_the_theme_while_open(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel), color_scheme="light") as page:
        tick = page.locator("#chart-dots .ytick text").first
        light = tick.evaluate("each => getComputedStyle(each).fill")
        page.emulate_media(color_scheme="dark")
        expect(tick).not_to_have_css("fill", light)
        dark = tick.evaluate("each => getComputedStyle(each).fill")
        assert (light, dark) == ("rgb(28, 32, 36)", "rgb(236, 238, 242)")


def test_a_line_is_copied(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel), permissions=["clipboard-read", "clipboard-write"]) as page:
        block = page.locator(".code").first
        block.get_by_role("button").click()
        expect(block.get_by_role("button")).to_contain_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == block.locator("code").inner_text()


def test_it_prints_in_light(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel), color_scheme="dark") as page:
        assert len(page.pdf()) > 10_000
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator(".how")).to_have_attribute("open", "")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


def test_without_scripts_the_words_and_tables_are_there(browser: Browser, written: Callable[..., Path]) -> None:
    with opened(browser, written(engel), java_script_enabled=False) as page:
        assert page.locator("h1").inner_text()
        assert page.locator("section[aria-labelledby=leaderboard] tbody tr").count() >= 8
