"""The page in a real browser: open a number, slice it, reach a lead, switch audience, try a what-if, watch it
move.

Nothing may be said on the console, and no page may violate the policy or axe's rules. Needs Chromium; without
it these tests fail.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from streams.web.app import make_page
from streams.web.serving import serve_page
from streams.web.source import WarehouseSource
from tests.given import as_bytes, given
from tests.streams.web.conftest import recorded_in
from warehouse.warehouse import Warehouse

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("BATON_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "Chromium is not installed: apt-get install chromium, or set BATON_TEST_CHROMIUM to its path"
    with sync_playwright() as playwright:
        # Without its sandbox where we are root, as in a container: it shows pages of ours only.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        found = playwright.chromium.launch(executable_path=path, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def url(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    source = WarehouseSource(warehouse, recorded_in(warehouse, tmp_path_factory.mktemp("recorded")))
    address = serve_page(make_page(source), 0)
    yield address.url
    address.stop()


@contextmanager
def looking(browser: Browser, url: str, scheme: str = "light", size: Any = DESK) -> Iterator[Page]:
    """A page in a fresh browser that may say nothing on its console."""
    context = browser.new_context(
        base_url=url,
        color_scheme=scheme,
        viewport=size,
        reduced_motion="reduce",  # type: ignore[arg-type]
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', (e) =>"
        " console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`))"
    )
    yield page
    assert said == []
    context.close()


def check_with_axe(page: Page) -> None:
    """No rule of axe is violated. It is evaluated by the debugger, which the page's policy does not bind."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", RULES)
    assert [
        (violation["id"], node["target"], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"][:3]
    ] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_each_page_is_accessible_and_fits(browser: Browser, url: str, scheme: str, size: Any) -> None:
    with looking(browser, url, scheme, size) as page:
        for path in ("/", "/playbook", "/what-if", "/rows/handoff?is.from_team=marketing&page=1"):
            page.goto(path)
            if path == "/":
                page.locator("#gap .chart svg").wait_for()
            check_with_axe(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_number_opens_down_to_a_lead_within_a_slice(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/?window=all")
        page.locator("[name=dimension]").select_option("region")
        page.locator("[name=value]").select_option("emea")
        expect(page).to_have_url(f"{url}/?window=all&dimension=region&value=emea&known=")
        number = page.locator("#clock td[data-name=offered] a").first
        shown = number.inner_text()
        number.click()
        assert page.locator(".sum strong").inner_text() == shown
        expect(page.locator(".chips")).to_contain_text("emea")
        page.get_by_role("link", name="offered at").click()
        expect(page.locator("th[aria-sort=ascending]")).to_contain_text("offered at")
        page.locator("table.rows tbody tr").first.get_by_role("link").nth(1).click()
        expect(page.locator("h1")).to_contain_text("Lead")
        expect(page.locator(".timeline li").first).to_contain_text("recorded")
        check_with_axe(page)


def test_a_number_without_rows_opens_its_definition_and_events(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/?window=all")
        page.locator("#clock td[data-name=p90_minutes] a").first.click()
        expect(page.locator(".lead")).to_contain_text("90th percentile")
        expect(page.locator("#behind")).to_contain_text("events behind it")
        check_with_axe(page)


def test_a_definition_is_read_with_the_keyboard_alone(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/")
        term = page.locator("#funnel th .term").nth(1)
        says = term.locator(".says")
        expect(says).to_be_hidden()
        term.focus()
        expect(says).to_be_visible()
        page.keyboard.press("Escape")
        expect(says).to_be_hidden()


def test_an_audience_has_its_own_order_and_the_same_numbers(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/")
        before = page.locator(".glance").inner_text()
        order = page.locator("#panels > [data-panel]").evaluate_all("all => all.map(e => e.dataset.panel)")
        page.get_by_role("link", name="Finance").click()
        expect(page.locator("h1")).to_contain_text("booked")
        assert page.locator(".glance").inner_text() == before
        after = page.locator("#panels > [data-panel]").evaluate_all("all => all.map(e => e.dataset.panel)")
        assert sorted(after) == sorted(order) and after != order


def test_a_what_if_is_tried_and_taken_away(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/what-if")
        page.get_by_label("A company has at least").fill("60")
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_role("heading", name="In force beside proposed")).to_be_visible(timeout=60_000)
        check_with_axe(page)
        with page.expect_download() as taken:
            page.get_by_role("button", name="Download").click()
        assert "employees_at_least = 60" in Path(taken.value.path()).read_text()


def test_the_theme_is_switched_and_remembered(browser: Browser, url: str) -> None:
    with looking(browser, url) as page:
        page.goto("/playbook")
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.get_by_role("button", name="Dark").click()
        dark = page.evaluate(ground)
        assert dark != before
        page.goto("/what-if")
        assert page.evaluate(ground) == dark


def test_numbers_move_while_events_arrive_without_a_flicker(
    browser: Browser, url: str, warehouse: Warehouse
) -> None:
    as_of = warehouse.pinned_as_of()
    assert as_of is not None
    at = (as_of - timedelta(hours=1)).isoformat()
    with looking(browser, url) as page:
        page.goto("/?window=all")
        expect(page.locator("#dot.on")).to_be_visible()
        entered = page.locator("#funnel td[data-name=entered]").first
        before = int(entered.inner_text().replace(",", ""))
        page.locator("#gap summary").click()
        page.evaluate("document.querySelector('#clock').dataset.mark = 'the same element'")
        event = {"type": "LeadCaptured", "channel": "web", "source": "test", "occurred_at": at}
        event |= {"lead_id": f"lead-{uuid.uuid4()}", "recorded_at": at}
        given(warehouse, as_bytes([event]))
        warehouse.refresh()
        expect(entered).to_have_text(f"{before + 1:,}", timeout=20_000)
        expect(page.locator("#moved")).to_contain_text("changed here")
        assert page.locator("#gap details").get_attribute("open") is not None
        # What did not change was left alone.
        assert page.locator("#clock").get_attribute("data-mark") == "the same element"
        check_with_axe(page)
