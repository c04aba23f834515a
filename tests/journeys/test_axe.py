"""axe-core on every page of the urlconf, as each kind of visitor: no violation, in light and in dark, wide and narrow.

A manager sees what an owner sees, less some of it."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from tests.businesses import World, side_by_side
from tests.factories import PASSWORD, make_merchant, make_user
from tests.payments.test_keys import NATIVE
from tests.payments.test_wallets import MINE, fixed, hand_out, keyed
from tests.test_walls import MAIL, PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
MAILS = ("invoice_preview_mail", "message_mail", "schedule_preview_mail", "settings_wording_preview")  # as mail programs show them
NOT_PAGES = ("api_events", "account_logout", *MAILS)
# What another colour scheme can change on a page whose structure was looked at whole; a fifth of the time.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "resultTypes": ["violations"]}
WHOLE = {"resultTypes": ["violations"]}
# who, on which screen, and whether each page is looked at in the dark too
VISITS = [("stranger", WIDE, True), ("viewer", WIDE, False), ("owner", NARROW, True)]


@pytest.fixture
def world(tmp_path: Any, settings: Any) -> World:
    settings.EMAIL_FILE_PATH = str(tmp_path)
    (tmp_path / f"{MAIL}.log").write_bytes(b"Subject: INV-000001\nFrom: a@b.example\nTo: c@d.example\n\nPay Now\n" + b"-" * 79 + b"\n")
    return side_by_side()


def visit(context: BrowserContext, base: str, world: World, who: str) -> None:
    """Bring the session of `who` into the browser."""
    client = world.browser(who, fresh=who != "stranger")
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        if name in client.cookies:
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": base}])


def opens(page: Page, url: str) -> bool:
    """Whether there is a page to look at, and it is shown now: not a redirect, a refusal, a file or a fragment."""
    try:
        answer = page.goto(url)
    except PlaywrightError as error:
        if "Download is starting" not in str(error):
            raise
        return False
    assert answer
    shown = answer.status == 200 and answer.request.redirected_from is None and "text/html" in answer.headers.get("content-type", "")
    return shown and "<html" in answer.text()


def wrong(page: Page, name: str, options: dict[str, Any]) -> list[str]:
    """What axe finds on the page as it stands."""
    return [f"{name}: {rule['id']} at {node['target']}" for rule in Axe().run(page, options=options).response["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize(("who", "screen", "in_the_dark"), VISITS, ids=[f"{who}-{screen['width']}" for who, screen, _dark in VISITS])
def test_axe_finds_nothing_on_any_page(browser: Browser, live_server: Any, world: World, who: str, screen: Any, in_the_dark: bool) -> None:
    paths = {name: reverse(name, args=page.args(world.ours)) for name, page in PAGES.items() if name not in NOT_PAGES}
    context = browser.new_context(color_scheme="light", viewport=screen, reduced_motion="reduce")
    visit(context, live_server.url, world, who)
    page = context.new_page()
    found: list[str] = []
    looked = 0
    for name, path in paths.items():
        if PAGES[name].method == "POST" or not opens(page, live_server.url + path):
            continue
        looked += 1
        found += wrong(page, name, WHOLE)
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            found.append(f"{name}: {too_wide}px wider than the screen")
        if in_the_dark:
            page.emulate_media(color_scheme="dark")
            found += wrong(page, f"{name}, in the dark", COLOURS)
            page.emulate_media(color_scheme="light")
    context.close()
    assert found == []
    assert looked >= {"stranger": 13, "viewer": 20}.get(who, 25)


@pytest.mark.parametrize(("scheme", "screen"), [("light", NARROW), ("dark", WIDE)], ids=["light-narrow", "dark-wide"])
def test_axe_finds_nothing_where_a_wallet_is_connected(browser: Browser, live_server: Any, scheme: Any, screen: Any) -> None:
    """Only a business that takes real money has these pages."""
    owner = make_user(password=PASSWORD)
    shop = make_merchant(owner, is_test=False, accepted_assets=[])
    wallet = keyed(shop)
    hand_out(wallet, 16)
    fixed(shop, "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh", "litecoin")
    context = browser.new_context(color_scheme=scheme, viewport=screen, reduced_motion="reduce")
    page = context.new_page()
    here = f"{live_server.url}/m/harbour-pine/wallets/"
    found: list[str] = []

    def look(name: str) -> None:
        found.extend(wrong(page, name, WHOLE))
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            found.append(f"{name}: {too_wide}px wider than the screen")

    def press(word: str) -> None:
        page.get_by_role("button", name=word).click()
        page.wait_for_load_state()

    page.goto(f"{here}connect/evm/")
    page.fill("[name=login]", owner.email)
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_load_state()
    if page.locator("[name=password]").count():  # and once more
        page.fill("[name=password]", PASSWORD)
        page.click("[type=submit]")
        page.wait_for_load_state()
    look("an address")
    press("Go on to the check")
    look("an address, wrong")
    page.fill("[name=address]", MINE)
    press("Go on to the check")
    press("Connect wallet")
    look("an address, to be checked")
    page.goto(f"{here}connect/bitcoin/")
    look("a key")
    page.fill("[name=key]", NATIVE)
    press("Go on to the check")
    page.click("text=They differ")
    page.click("text=Show more")
    press("Connect wallet")
    look("a key, to be checked")
    for path in ("", "connect/", f"{wallet.pk}/", f"{wallet.pk}/retire/", f"{wallet.pk}/rename/"):
        page.goto(here + path)
        look(path or "the list")
    page.goto(f"{live_server.url}/m/harbour-pine/settings/tokens/")
    look("tokens")
    context.close()
    assert found == []
