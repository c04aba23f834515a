"""Checkout in a browser: it lives by itself, it is readable by everyone, and it does without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from invoicing import lifecycle
from merchants import clock
from merchants.models import Merchant
from payments.rails import sandbox
from tests.payments.money import USDT, Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


@pytest.fixture
def story(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Story:
    story = Story(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def url(live_server: Any, story: Story, name: str = "checkout") -> str:
    return f"{live_server.url}{reverse(name, args=[story.invoice.public_id])}"


def test_a_payment_shows_up_without_a_reload_and_is_spoken_once(page: Page, live_server: Any, story: Story) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" and "inter-" not in message.location["url"] else None)
    page.goto(url(live_server, story))
    page.get_by_role("button", name="USDT on Sandbox").click()
    expect(page.get_by_role("heading", name="USDT on Sandbox")).to_be_visible()
    page.evaluate("document.getElementById('status').dataset.same = 'yes'")
    with page.expect_response(lambda response: response.url.endswith("/pay/status/")) as polled:
        pass
    assert polled.value.status == 304
    expect(page.locator("#status[data-same]")).to_be_visible()
    story.pay(quote=story.quote())
    story.look()
    expect(page.get_by_role("heading", name="Your payment has been seen")).to_be_visible(timeout=20_000)
    assert page.locator("[data-live]").text_content() == "Your payment has been seen. The network is confirming it."
    story.blocks(3)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible(timeout=20_000)
    assert page.locator("[data-live]").text_content() == "Paid, thank you. You owe nothing more on this invoice."
    assert page.locator("#status").get_attribute("hx-get") is None
    assert errors == []


def test_when_the_lock_ends_amount_and_address_give_way_to_a_new_quote(page: Page, live_server: Any, story: Story) -> None:
    quote = story.quote()
    story.now = quote.locked_until - timedelta(seconds=62)
    page.goto(url(live_server, story))
    expect(page.locator("[data-live]")).to_have_text("1 minute left at this rate.", timeout=20_000)
    expect(page.locator("[data-note]")).to_have_text("nearly over")
    story.now = quote.locked_until - timedelta(seconds=2)
    page.goto(url(live_server, story))
    expect(page.get_by_text("Send exactly")).to_be_visible()
    story.now = quote.locked_until
    expect(page.get_by_role("button", name="Get a new quote")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Send exactly")).to_be_hidden()
    page.get_by_role("button", name="Get a new quote").click()
    expect(page.get_by_text("Send exactly")).to_be_visible()


def test_copying_says_so(page: Page, live_server: Any, story: Story) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    quote = story.quote()
    page.goto(url(live_server, story))
    page.get_by_role("button", name="Copy the address").click()
    expect(page.locator("[data-live]")).to_have_text("Address copied")
    assert page.evaluate("navigator.clipboard.readText()") == quote.receive_address.address


def test_looking_is_told_to_the_merchant_by_the_page_itself(page: Page, live_server: Any, story: Story) -> None:
    with page.expect_response(lambda response: response.url.endswith("/viewed/")) as sent:
        page.goto(url(live_server, story, "public_invoice"))
    assert sent.value.status == 204
    assert story.fresh().viewed_at == story.now


def test_paying_without_javascript(browser: Browser, live_server: Any, story: Story) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url(live_server, story, "public_invoice"))
    page.get_by_role("link", name="Pay Now").first.click()
    page.get_by_role("button", name="USDT on Sandbox").click()
    quote = story.quote()
    expect(page.get_by_text(f"{quote.locked_until:%H:%M} Lisbon time", exact=True)).to_be_visible()
    assert page.locator(".address").text_content() == quote.receive_address.address
    page.get_by_role("button", name="Pay exactly", exact=True).click()
    story.look()
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("heading", name="Your payment has been seen")).to_be_visible()
    story.blocks(3)
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    context.close()


def _choose(story: Story) -> None:
    pass


def _quoted(story: Story) -> None:
    story.quote()


def _expired(story: Story) -> None:
    story.now = story.quote().locked_until


def _confirming(story: Story) -> None:
    story.pay()
    story.look()


def _part(story: Story) -> None:
    story.pay(units=54_300_000)
    story.blocks(3)


def _over(story: Story) -> None:
    sandbox.provoke(story.quote(USDT), "over", now=story.now)
    story.blocks(3)


def _void(story: Story) -> None:
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)


@pytest.mark.parametrize("reach", [_choose, _quoted, _expired, _confirming, _part, _over, _void])
def test_everyone_can_read_it(page: Page, live_server: Any, story: Story, reach: Callable[[Story], None]) -> None:
    reach(story)
    for name in ("checkout", "public_invoice"):
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(url(live_server, story, name))
            found = Axe().run(page).response["violations"]
            assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
