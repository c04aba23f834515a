"""What goes wrong elsewhere and cannot here: doubled invoices, dates that slip, gaps from drafts, sent invoices that change,
totals and times that differ, files that accountants cannot use.

Each has more tests beside its module (and `races/` for many at once); here it is tried from outside.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from invoicing import pdf, schedules
from invoicing.models import Invoice, LineItem
from invoicing.recurrence import Rule
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import courier, fanout
from notifications.mail import emails
from notifications.models import Delivery
from payments import recorded
from tests.factories import make_draft, make_schedule, publish, start
from tests.invoicing.page import row, sent
from tests.invoicing.test_pdf import texts
from tests.invoicing.test_views_pages import url, words

KEY = "f" * 43


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def draft_of(merchant: Merchant, **fields: Any) -> Invoice:
    return make_draft(merchant, **{"due_at": clock.now() + timedelta(days=14), **fields})


def press(desk: Client, name: str, invoice: Invoice, **data: Any) -> Any:
    return desk.post(url(name, invoice.merchant, invoice.pk), data)


# --- a recurring invoice made or mailed twice -----------------------------------------------------------------------
def test_however_often_every_clock_ticks_an_occurrence_is_one_invoice_and_one_mail(merchant: Merchant) -> None:
    start(make_schedule(merchant))
    due = datetime(2026, 11, 30, 9, tzinfo=UTC)
    for tick in range(8):
        now = due + timedelta(seconds=5 * tick)
        for _worker in range(3):
            schedules.run_due(now=now)
            fanout.run(now)
            courier.round_of("email", now=now)
    assert list(Invoice.objects.values_list("number", flat=True)) == ["INV-000001"]
    assert [(sent.to, "INV-000001" in sent.subject) for sent in mail.outbox] == [(["accounts@marlow.example"], True)]


# --- dates that slip: at the end of a month, after a late run, when the clocks change -------------------------------
def test_a_schedule_that_always_runs_late_keeps_its_day_and_its_hour(merchant: Merchant) -> None:
    start(make_schedule(merchant, Rule("months", day=31), anchor=date(2027, 1, 31)))
    for month in range(2, 9):
        schedules.run_due(now=datetime(2027, month, 6, 3, 17, tzinfo=UTC))
    zone = ZoneInfo("Europe/Lisbon")
    sent = [f"{at.astimezone(zone):%d %b %H:%M}" for at in Invoice.objects.order_by("id").values_list("issue_at", flat=True)]
    assert sent == ["31 Jan 09:00", "28 Feb 09:00", "31 Mar 09:00", "30 Apr 09:00", "31 May 09:00", "30 Jun 09:00", "31 Jul 09:00"]


# --- number gaps from drafts and deletions -----------------------------------------------------------------------
def test_nothing_that_is_deleted_duplicated_or_voided_leaves_a_gap_in_the_numbers(desk: Client, merchant: Merchant) -> None:
    for _round in range(3):
        kept, thrown = draft_of(merchant), draft_of(merchant)
        waits = draft_of(merchant, issue_at=clock.now() + timedelta(days=1))
        press(desk, "invoice_publish", waits, version=1)
        press(desk, "invoice_delete", thrown)
        press(desk, "invoice_duplicate", kept)
        press(desk, "invoice_publish", kept, version=1)
        press(desk, "invoice_delete", waits)
    first = Invoice.objects.get(number="INV-000001")
    press(desk, "invoice_delete", first, reason="Sent by mistake")
    second = Invoice.objects.get(number="INV-000002")
    press(desk, "invoice_void", second, reason="Wrong address", then="replace", form_key=KEY)
    replacement = Invoice.objects.get(replaces=second)
    press(desk, "invoice_publish", replacement, version=replacement.version)
    taken = sorted(Invoice.objects.exclude(number="").values_list("number", flat=True))
    assert taken == ["INV-000001", "INV-000002", "INV-000003", "INV-000004"]


# --- a sent invoice that can be changed -------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["open", "paid", "void"])
@pytest.mark.parametrize("act", ["save", "publish", "copy", "preview", "count", ""])
def test_no_post_to_edit_changes_what_was_issued(desk: Client, merchant: Merchant, status: str, act: str) -> None:
    invoice = publish(draft_of(merchant), now=clock.now())
    Invoice.objects.filter(pk=invoice.pk).update(status=status)
    before = Invoice.objects.values().get(pk=invoice.pk), list(LineItem.objects.filter(invoice=invoice).order_by("id").values())
    for version in ("0", "1", str(invoice.version), "99"):
        data = sent(row(description="Changed", unit_price="1.00"), title="Changed", version=version, act=act, payer_email="else@example.com")
        desk.post(url("invoice_edit", merchant, invoice.pk), data)
        desk.post(url("invoice_edit", merchant, invoice.pk), data | {"form_key": invoice.form_key or KEY})
    assert (Invoice.objects.values().get(pk=invoice.pk), list(LineItem.objects.filter(invoice=invoice).order_by("id").values())) == before
    assert not Event.objects.filter(subject_id=invoice.pk, kind="invoice.edited").exists()


def test_what_is_pressed_on_an_issued_one_leaves_its_words_and_figures(desk: Client, merchant: Merchant) -> None:
    invoice = publish(draft_of(merchant), now=clock.now())
    frozen = ("payer_name", "payer_email", "title", "total_minor", "terms", "due_at", "issued_at", "number", "asset_ids", "merchant_name")
    before = Invoice.objects.values(*frozen).get(pk=invoice.pk)
    for name in ("invoice_unschedule", "invoice_publish", "invoice_duplicate", "invoice_archive", "invoice_unarchive", "invoice_replace_link"):
        press(desk, name, invoice, version=invoice.version, title="Changed")
    press(desk, "invoice_remark", invoice, remark="Ours alone", title="Changed")
    press(desk, "invoice_void", invoice, reason="Wrong address", title="Changed")
    press(desk, "invoice_delete", invoice, title="Changed")
    assert Invoice.objects.values(*frozen).get(pk=invoice.pk) == before


# --- 17 and 19: totals that differ by a cent, times in two zones ----------------------------------------------------
def mail_of(invoice: Invoice) -> Any:
    fanout.run(clock.now())
    return emails.write(Delivery.objects.get(invoice=invoice, template="issued"), now=clock.now())


def test_list_page_mail_and_pdf_show_the_same_total_and_the_same_time(desk: Client, merchant: Merchant, client: Client) -> None:
    """Three thirds with 9.975 % tax, and a due time on another day in UTC than where the merchant is."""
    Merchant.objects.update(time_zone="Pacific/Auckland")
    lines = [("A third", "0.3333", "9.99", "9.975"), ("A third", "0.3333", "9.99", "9.975"), ("The rest", "0.3334", "10.01", "9.975")]
    at = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        draft = make_draft(Merchant.objects.get(), lines=lines, due_at=datetime(2026, 12, 1, 11, 30, tzinfo=UTC))
        invoice = publish(draft, now=at)
        mail = mail_of(invoice)
        surfaces = {
            "list": words(desk.get(url("invoices", merchant))),
            "desk": words(desk.get(url("invoice", merchant, invoice.pk))),
            "public": words(client.get(f"/i/{invoice.public_id}/")),
            "pdf": " ".join(texts(pdf.content(pdf.ensure(invoice.pk, now=at)))),
            "mail": mail.text,
            "mail as HTML": " ".join(re.sub(r"<[^>]+>", " ", mail.html).split()),
        }
    assert invoice.total_minor == 1_100
    for name, text in surfaces.items():
        assert "11.00" in text, name
        assert not re.search(r"\b(10\.9[89]|11\.0[12])\b", text), name
    # 00:30 on 2 December in Auckland; 11:30 on 1 December in UTC.
    assert "2 Dec" in surfaces["list"]
    for name in ("desk", "public", "pdf", "mail", "mail as HTML"):
        assert "00:30" in surfaces[name], name
        assert "11:30" not in surfaces[name], name
    for name in ("public", "pdf", "mail"):
        assert "Auckland time" in surfaces[name], name
    assert "Pacific/Auckland" in surfaces["desk"]


def test_a_preview_shows_the_total_and_the_time_that_the_issued_one_shows(desk: Client, merchant: Merchant, client: Client) -> None:
    draft = draft_of(merchant, lines=[("Work", "0.3333", "10.01", "9.975")])
    before = words(desk.get(url("invoice_preview_page", merchant, draft.pk)))
    issued = publish(draft, now=clock.now())
    after = words(client.get(f"/i/{issued.public_id}/"))
    figures = re.compile(r"\d+\.\d\d|\d\d:\d\d")
    assert figures.findall(before) == figures.findall(after)


# --- two tabs, two merchants ----------------------------------------------------------------------------------------
def test_two_tabs_with_two_merchants_never_mix(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> None:
    """One member of both, one browser: what is pressed in a tab happens to that tab's merchant, whatever was opened last."""
    from tests.factories import make_merchant

    other = make_merchant(owner, slug="second")
    browser = client_as(owner)
    here, there = draft_of(merchant), draft_of(other)
    browser.get(url("invoice", other, there.pk))
    assert browser.post(url("invoice_publish", merchant, there.pk), {"version": 1}).status_code == 404
    browser.post(url("invoice_publish", merchant, here.pk), {"version": 1})
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.status, there.status) == ("open", "draft")
    browser.post(url("invoice_duplicate", other, there.pk), {"form_key": KEY})
    browser.post(url("invoice_duplicate", merchant, here.pk), {"form_key": KEY})
    assert sorted(Invoice.objects.filter(form_key=KEY).values_list("merchant__slug", flat=True)) == ["harbour-pine", "second"]


# --- exports that accountants cannot use ------------------------------------------------------------------------------
def test_both_files_have_machine_figures_zoned_times_and_no_formulas(desk: Client, merchant: Merchant) -> None:
    invoice = publish(draft_of(merchant, title="=1+1", payer_name="@SUM(A1)"), now=clock.now())
    recorded.record(invoice, way="bank", amount_minor=100_000, paid_at=clock.now(), note="", form_key=KEY, by=None, now=clock.now())
    for name, figure in (("invoices_csv", "1000.00"), ("payments_csv", "1000.00")):
        answer = desk.get(reverse(name, args=[merchant.slug]))
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        cells = rows[0].values()
        assert "'=1+1" in cells and "'@SUM(A1)" in cells and figure in cells
        assert any(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", cell) for cell in cells)
