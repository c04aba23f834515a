"""The desk: a draft edited, duplicated, published and voided; found, exported; and a viewer who can change nothing."""

from __future__ import annotations

import csv
import io
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.merchant import PASSWORD, PAYER, Merchant, links
from tests.sinks import MailSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]
VIEWER = "books@harbourpine.example"


def test_from_draft_to_void_and_a_viewer_who_only_looks(page: Page, browser: Browser, stack: Stack, mail_sink: MailSink) -> None:
    merchant = Merchant(page, stack, mail_sink, email="desk@harbourpine.example", business="Desk and Drawer")
    merchant.sign_up()
    merchant.tell_about_the_business()
    mail_sink.clear()

    # A draft, edited, duplicated: the copy has its own words from then on.
    merchant.write_invoice()
    page.get_by_role("button", name="Save draft").click()
    page.wait_for_url(re.compile(r"/invoices/\d+/edit/"))
    page.locator("[name=title]").fill("Brand identity, phase 3")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("main")).to_contain_text("Draft saved")
    page.get_by_role("link", name="Close").click()
    page.wait_for_url(re.compile(r"/invoices/\d+/$"))
    first = page.url
    expect(page.get_by_role("main")).to_contain_text("Brand identity, phase 3")
    page.get_by_label("More").click()
    page.get_by_role("button", name="Duplicate").locator("visible=true").click()
    page.wait_for_url(re.compile(r"/invoices/\d+/edit/"))
    assert page.url != f"{first}edit/"
    page.locator("[name=title]").fill("Brand identity, phase 4")
    merchant.publish()
    expect(page.locator("h1")).to_contain_text("INV-000001")
    second = page.url
    issued = mail_sink.to(PAYER, "INV-000001")

    # Voided with a reason: the payer is told, and the link says so.
    page.get_by_label("More").click()
    page.get_by_role("link", name="Void…").click()
    page.locator("[name=reason]").fill("Billed twice")
    page.get_by_role("button", name="Void it and tell them").click()
    page.wait_for_url(second)
    expect(page.locator(".badge").first).to_have_text("Void")
    assert "Billed twice" in mail_sink.to(PAYER, "Cancelled").text
    payer = browser.new_context().new_page()
    payer.goto(links(issued.html)["Pay Now"])
    expect(payer.get_by_role("main")).to_contain_text("cancelled")

    # Found by a part of its title, filtered, and exported exactly so.
    page.goto(f"{merchant.base}invoices/?q=phase&show=void")
    expect(page.get_by_role("main")).to_contain_text("INV-000001")
    expect(page.get_by_role("main")).not_to_contain_text("phase 3")
    with page.expect_download() as started:
        page.locator("a[href*='invoices.csv']").first.evaluate("link => link.click()")
    rows = list(csv.DictReader(io.StringIO(started.value.path().read_text(encoding="utf-8-sig"))))
    assert [(row["Number"], row["Title"], row["Total"]) for row in rows] == [("INV-000001", "Brand identity, phase 4", "3597.75")]

    # A viewer, invited by mail, sees it all and can change nothing.
    page.goto(f"{merchant.base}settings/team/")
    page.locator("[name=email]").fill(VIEWER)
    page.locator("[name=role][value=viewer]").check()
    page.get_by_role("button", name="Invite", exact=True).click()
    if "/reauthenticate/" in page.url:
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text(VIEWER)
    invitation = mail_sink.to(VIEWER)
    looker = browser.new_context().new_page()
    looker.set_default_timeout(30_000)
    looker.goto(next(href for href in links(invitation.html).values() if "/invitation/" in href))
    looker.get_by_role("link", name="Create an account to accept").click()
    looker.get_by_label("Your name").fill("Rui Livros")
    looker.get_by_label("Email").fill(VIEWER)
    looker.get_by_label("Password", exact=True).fill(PASSWORD)
    looker.get_by_role("button", name="Create the account").click()
    if "/confirm-email/" in looker.url:
        mail_sink.clear()
    looker.goto(next(href for href in links(invitation.html).values() if "/invitation/" in href))
    looker.get_by_role("button", name="Accept").click()
    looker.wait_for_url(re.compile(r"/m/"))
    looker.goto(second)
    expect(looker.locator("h1")).to_contain_text("INV-000001")
    expect(looker.get_by_role("link", name="Create invoice")).to_have_count(0)
    for path in ("", "invoices/", "recurring/", "payers/", first.removeprefix(merchant.base), second.removeprefix(merchant.base)):
        answer = looker.goto(merchant.base + path)
        assert answer is not None and answer.status == 200, path
        posting = looker.locator("main form[method=post]")
        assert posting.count() == 0, (path, posting.evaluate_all("forms => forms.map(form => form.action)"))
    for path in ("invoices/new/", "recurring/new/", f"{first.removeprefix(merchant.base)}edit/", f"{second.removeprefix(merchant.base)}void/"):
        answer = looker.goto(merchant.base + path)
        assert answer is not None and answer.status == 403, path
