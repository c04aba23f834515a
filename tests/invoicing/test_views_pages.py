"""Overview, list, the invoice's page, and what a member does there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing import lifecycle, uploads
from invoicing.models import Invoice, Status
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications.models import Delivery
from payments.models import Transfer
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.files import PDF

KEY = "f" * 43


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def url(name: str, merchant: Merchant, *args: Any) -> str:
    return reverse(name, args=[merchant.slug, *args])


def words(answer: Any) -> str:
    """The text of a page, without its tags."""
    text = re.sub(r"<(script|style|svg|template).*?</\1>|<[^>]+>", " ", answer.content.decode().replace("<wbr>", ""), flags=re.S)
    return " ".join(text.replace("&amp;", "&").replace("&#x27;", "'").split())


def issue(merchant: Merchant, **fields: Any) -> Invoice:
    return publish(make_draft(merchant, **fields), now=fields.pop("now", NOW))


def pay(invoice: Invoice, minor: int, *, final: bool = True, number: int = 1, **fields: Any) -> Transfer:
    """A transfer on `invoice`, with the columns that settlement would have written."""
    moment = clock.now()
    return Transfer.objects.create(
        network="sandbox:harbour",
        txid=f"{number:064x}",
        place=0,
        invoice=invoice,
        asset_id="sandbox:harbour/token:usdt",
        amount_units=minor * 10_860,
        status="final" if final else "seen",
        first_seen_at=moment,
        final_at=moment if final else None,
        confirmations=3 if final else 2,
        confirmations_needed=3,
        credit_minor=minor,
        credit_rate="0.9208",
        credit_source="Kraken",
        credit_rate_at=moment,
        **fields,
    )


def queries(desk: Client, path: str) -> int:
    desk.get(path)  # the session's own bookkeeping is done with the first request
    with CaptureQueriesContext(connection) as seen:
        assert desk.get(path).status_code == 200
    return len(seen)


# --- overview -----------------------------------------------------------------------------------------------------
def test_a_new_business_sees_its_first_steps(desk: Client, merchant: Merchant) -> None:
    page = words(desk.get(url("overview", merchant)))
    assert "Welcome, Inês" in page
    assert "Write your first invoice" in page
    assert "This business is a test one." in page
    assert "Needs your attention" not in page


def test_the_overview_says_what_is_owed_and_what_came(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    late = issue(merchant, title="Late", due_at=now - timedelta(days=3), now=now - timedelta(days=9))
    pay(late, 50_000)
    Invoice.objects.filter(pk=late.pk).update(credited_minor=50_000, is_underpaid=True)
    issue(make_merchant(slug="other"), title="Not mine", lines=[("X", "1", "77777.00")])
    page = words(desk.get(url("overview", merchant)))
    assert "Outstanding 1,300.00 EUR 1 invoice" in page
    assert "Overdue 1,300.00 EUR 1 invoice, 3 days late" in page
    assert re.search(r"Received in \w+ 500\.00 EUR", page)
    assert "Ana Duarte paid a part" in page
    assert "77,777" not in page


def test_the_overview_asks_the_database_as_often_for_three_invoices_as_for_one(desk: Client, merchant: Merchant) -> None:
    issue(merchant)
    once = queries(desk, url("overview", merchant))
    for _more in range(2):
        issue(merchant)
    assert queries(desk, url("overview", merchant)) == once


# --- list ---------------------------------------------------------------------------------------------------------
def test_the_list_asks_the_database_as_often_for_three_invoices_as_for_one(desk: Client, merchant: Merchant) -> None:
    issue(merchant)
    once = queries(desk, url("invoices", merchant))
    issue(merchant)
    make_draft(merchant)
    assert queries(desk, url("invoices", merchant)) == once


def test_the_list_never_counts_the_table(desk: Client, merchant: Merchant) -> None:
    issue(merchant)
    with CaptureQueriesContext(connection) as seen:
        desk.get(url("invoices", merchant))
    assert [query["sql"] for query in seen if "COUNT(" in query["sql"] and "invoicing_invoice" in query["sql"]] == []


def test_a_row_says_who_what_when_and_how_much(desk: Client, merchant: Merchant) -> None:
    paid = issue(merchant, title="Over")
    Invoice.objects.filter(pk=paid.pk).update(status=Status.PAID, credited_minor=185_250, is_overpaid=True, paid_at=NOW)
    issue(merchant, title="Partly", payer_name="Kobayashi 株式会社")
    Invoice.objects.filter(title="Partly").update(credited_minor=80_000)
    issue(make_merchant(slug="other"), title="Not mine")
    page = words(desk.get(url("invoices", merchant)))
    assert "Kobayashi 株式会社 Partly INV-000002 Partially paid Due 1 Dec 1,000.00 still due 1,800.00 EUR 1,000.00" in page
    assert "Ana Duarte Over INV-000001 Overpaid Paid 17 Nov 52.50 too much 1,800.00 EUR 52.50 over" in page
    assert "Not mine" not in page


def test_filters_are_links_that_keep_the_search(desk: Client, merchant: Merchant) -> None:
    issue(merchant)
    page = desk.get(url("invoices", merchant) + "?show=open&q=ana+d").content.decode()
    assert 'href="?q=ana+d"' in page
    assert 'href="?show=overdue&amp;q=ana+d"' in page
    assert 'class="chip chip--on" href="?show=open&amp;q=ana+d" aria-current="true"' in page


def test_pages_lead_on_and_back_and_keep_the_filter(desk: Client, merchant: Merchant) -> None:
    for number in range(27):
        make_draft(merchant, title=f"T{number}")
    first = desk.get(url("invoices", merchant) + "?show=draft").content.decode()
    assert "Previous" not in first
    following = re.search(r'href="(\?show=draft&amp;at=[\w-]+)" rel="next"', first)[1].replace("&amp;", "&")
    second = desk.get(url("invoices", merchant) + following).content.decode()
    assert [title for title in ("T0", "T1", "T2") if f">{title}<" in second] == ["T0", "T1"]
    assert re.search(r'href="\?show=draft&amp;at=[\w-]+" rel="prev"', second)
    assert "Next" not in second
    assert desk.get(url("invoices", merchant) + "?at=x&show=nonsense&q=%00").status_code == 200


def test_an_empty_list_says_what_to_do(desk: Client, merchant: Merchant) -> None:
    assert "No invoices yet" in words(desk.get(url("invoices", merchant)))
    make_draft(merchant)
    page = words(desk.get(url("invoices", merchant) + "?q=nobody"))
    assert "No invoice matches" in page
    assert "Clear" in page


# --- the invoice's page -------------------------------------------------------------------------------------------
@pytest.fixture
def partly_paid(merchant: Merchant, owner: User) -> Invoice:
    invoice = lifecycle.publish(make_draft(merchant, lines=[("Logo", "1", "1800.00"), ("Type", "2", "100.00")]), by=owner, version=1, now=NOW)
    pay(invoice, 50_000, number=1)
    pay(invoice, 30_000, final=False, number=2)
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=50_000, pending_minor=30_000)
    issued = Event.objects.get(kind="invoice.issued")
    common = {"merchant": merchant, "event": issued, "invoice": invoice, "next_at": NOW, "created_at": NOW}
    Delivery.objects.create(channel="email", template="issued", recipient="ana@duarte.example", message_id="1", status="sent", sent_at=NOW, **common)
    Delivery.objects.create(
        channel="email",
        template="overpaid",
        recipient="studio@harbourpine.example",
        message_id="2",
        status="failed",
        reason="550 no such user",
        **common,
    )
    return invoice


def test_the_page_of_an_invoice_tells_its_whole_story(desk: Client, merchant: Merchant, partly_paid: Invoice) -> None:
    page = words(desk.get(url("invoice", merchant, partly_paid.pk)))
    for text in (
        "INV-000001",
        "Still due 1,200.00 EUR",
        "500.00 received",
        "300.00 confirming",
        "of 2,000.00 EUR · due 1 Dec 2026, 10:00",
        "Logo 1 1,800.00 – 1,800.00",
        "Type 2 100.00 – 200.00",
        "USDT Sandbox",
        "Final",
        "2 of 3",
        "1 EUR = 1.0860 USDT (Kraken, ",
        "Invoice issued ana@duarte.example Delivered",
        "Paid too much studio@harbourpine.example Given up",
        "550 no such user",
        "Issued by Inês Matos and mailed to Ana Duarte",
    ):
        assert text in page, text


def test_the_page_asks_the_database_as_often_for_three_of_everything_as_for_one(desk: Client, merchant: Merchant, partly_paid: Invoice) -> None:
    once = queries(desk, url("invoice", merchant, partly_paid.pk))
    for number in (7, 8):
        pay(partly_paid, 100, number=number)
        event = Event.objects.create(merchant=merchant, kind="invoice.viewed", subject_kind="invoice", subject_id=partly_paid.pk, at=NOW)
        Delivery.objects.create(
            merchant=merchant,
            event=event,
            invoice=partly_paid,
            channel="email",
            template="paid",
            recipient="a@b.example",
            message_id=f"m{number}",
            next_at=NOW,
            created_at=NOW,
        )
    assert queries(desk, url("invoice", merchant, partly_paid.pk)) == once


def test_a_viewer_sees_everything_but_the_payers_link(
    merchant: Merchant, partly_paid: Invoice, viewer: User, client_as: Callable[[User], Client]
) -> None:
    page = client_as(viewer).get(url("invoice", merchant, partly_paid.pk)).content.decode()
    assert "Still due" in page
    for hidden in (partly_paid.public_id, "Copy pay link", "Void…", "Send again", "Save remark", "invoice.pdf"):
        assert hidden not in page, hidden
    for path in ("invoice_publish", "invoice_void", "invoice_delete", "invoice_remark", "invoice_unschedule"):
        assert client_as(viewer).post(url(path, merchant, partly_paid.pk)).status_code == 403
    # The PDF carries the payer's link.
    assert client_as(viewer).get(url("invoice_pdf", merchant, partly_paid.pk)).status_code == 403


def test_a_member_who_writes_can_copy_the_link(desk: Client, merchant: Merchant, partly_paid: Invoice) -> None:
    page = desk.get(url("invoice", merchant, partly_paid.pk)).content.decode()
    assert f'data-copy="http://testserver/i/{partly_paid.public_id}/"' in page


def test_another_merchants_invoice_is_not_there(desk: Client, merchant: Merchant) -> None:
    foreign = issue(make_merchant(slug="other"))
    for name in ("invoice", "invoice_edit", "invoice_publish", "invoice_void", "invoice_delete", "invoice_pdf", "invoice_receipt"):
        assert desk.get(url(name, merchant, foreign.pk)).status_code == 404
    for name in ("invoice_publish", "invoice_void", "invoice_delete", "invoice_remark", "invoice_unschedule"):
        assert desk.post(url(name, merchant, foreign.pk), {"reason": "x", "version": "1"}).status_code == 404
    foreign.refresh_from_db()
    assert (foreign.status, foreign.remark) == (Status.OPEN, "")


# --- actions ------------------------------------------------------------------------------------------------------
def test_published_twice_it_is_issued_once_and_said_calmly(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant, due_at=clock.now() + timedelta(days=14))
    path = url("invoice_publish", merchant, draft.pk)
    first = desk.post(path, {"version": "1"}, follow=True)
    assert "INV-000001 is published and goes to Ana Duarte now." in words(first)
    second = desk.post(path, {"version": "1"}, follow=True)
    assert second.status_code == 200
    assert "INV-000001 is already published." in words(second)
    assert Event.objects.filter(kind="invoice.issued").count() == 1


def test_a_draft_that_changed_since_it_was_looked_at_is_asked_about_again(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant, due_at=clock.now() + timedelta(days=14))
    Invoice.objects.filter(pk=draft.pk).update(version=2)
    answer = desk.post(url("invoice_publish", merchant, draft.pk), {"version": "1"}, follow=True)
    assert "This draft was changed while you were looking at it." in words(answer)
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_one_with_a_time_ahead_is_scheduled_and_can_be_taken_back(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    draft = make_draft(merchant, issue_at=now + timedelta(days=3), due_at=now + timedelta(days=14))
    assert "Publish and schedule" in words(desk.get(url("invoice_publish", merchant, draft.pk)))
    desk.post(url("invoice_publish", merchant, draft.pk), {"version": "1"})
    draft.refresh_from_db()
    assert draft.status == Status.SCHEDULED
    page = words(desk.get(url("invoice", merchant, draft.pk)))
    assert "It goes to Ana Duarte on" in page
    desk.post(url("invoice_unschedule", merchant, draft.pk))
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT
    assert "only a scheduled invoice can be taken back" in words(desk.post(url("invoice_unschedule", merchant, draft.pk), follow=True))


def test_asking_to_publish_changes_nothing(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant, title="")
    page = words(desk.get(url("invoice_publish", merchant, draft.pk)))
    assert "Give it a title." in page
    assert "Publish and send" not in page
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_voiding_wants_a_reason_and_says_who_is_told(desk: Client, merchant: Merchant) -> None:
    invoice = issue(merchant)
    path = url("invoice_void", merchant, invoice.pk)
    assert "Ana Duarte gets a mail at ana@duarte.example that it is cancelled" in words(desk.get(path))
    assert "Say why, in a sentence." in words(desk.post(path, {"reason": "  "}))
    assert "INV-000001 is void. Ana Duarte is told." in words(desk.post(path, {"reason": "Wrong address."}, follow=True))
    invoice.refresh_from_db()
    assert (invoice.status, invoice.void_reason) == (Status.VOID, "Wrong address.")
    assert "INV-000001 is already void." in words(desk.post(path, {"reason": "Again"}, follow=True))


def test_a_draft_is_deleted_after_a_question(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant)
    path = url("invoice_delete", merchant, draft.pk)
    assert "Delete this invoice?" in words(desk.get(path))
    assert Invoice.objects.count() == 1
    assert desk.post(path)["Location"] == url("invoices", merchant)
    assert Invoice.objects.count() == 0


def test_a_remark_is_kept_and_shown_to_the_team(desk: Client, merchant: Merchant) -> None:
    invoice = issue(merchant)
    desk.post(url("invoice_remark", merchant, invoice.pk), {"remark": "Pays in two <parts>.\n"})
    invoice.refresh_from_db()
    assert invoice.remark == "Pays in two <parts>."
    assert "Pays in two &lt;parts&gt;." in desk.get(url("invoice", merchant, invoice.pk)).content.decode()
    lines = "\r\n".join(["y" * 99] * 40)  # 3,999 as a browser counts, with line breaks of one
    desk.post(url("invoice_remark", merchant, invoice.pk), {"remark": lines})
    invoice.refresh_from_db()
    assert invoice.remark == "\n".join(["y" * 99] * 40)
    answer = desk.post(url("invoice_remark", merchant, invoice.pk), {"remark": "x" * 4001}, follow=True)
    assert "x" * 4001 in answer.content.decode()
    assert "The remark was not saved: shorten it to 4000 characters." in words(answer)


def test_an_attachment_is_downloaded_by_members_and_by_no_other_merchant(desk: Client, merchant: Merchant, owner: User) -> None:
    invoice = issue(merchant)
    stored = uploads.accept(SimpleUploadedFile("work.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    uploads.attach(invoice, form_key=KEY, removed=())
    answer = desk.get(url("invoice_file", merchant, invoice.pk, stored.public_id))
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"] == 'attachment; filename="work.pdf"'
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    other = issue(merchant)
    assert desk.get(url("invoice_file", merchant, other.pk, stored.public_id)).status_code == 404
    assert desk.get(reverse("invoice_file", args=["other", invoice.pk, stored.public_id])).status_code == 404


def test_the_pages_hold_nothing_inline(desk: Client, merchant: Merchant, partly_paid: Invoice) -> None:
    draft = make_draft(merchant)
    paths = [url(name, merchant) for name in ("overview", "invoices", "invoice_new")]
    paths += [url("invoice", merchant, partly_paid.pk), url("invoice_void", merchant, partly_paid.pk), url("invoice_edit", merchant, draft.pk)]
    paths += [url("invoice_publish", merchant, draft.pk), url("invoice_delete", merchant, draft.pk)]
    for path in paths:
        page = desk.get(path).content.decode()
        assert re.findall(r"<[^>]+\s(?:style|on\w+)=", page) == [], path
        assert "<style" not in page, path
