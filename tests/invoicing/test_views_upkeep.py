"""Copy, delete, archive, replace the link: what the pages ask, say and refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing import lifecycle
from invoicing.models import Invoice, Occurrence, Schedule, Status
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Delivery
from tests.factories import make_draft, make_merchant
from tests.invoicing.test_views_pages import issue, pay, url, words

KEY = "f" * 43
PRESSED = ("invoice_duplicate", "invoice_delete", "invoice_archive", "invoice_unarchive", "invoice_replace_link", "invoice_resend")


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def issue_now(merchant: Merchant, **fields: Any) -> Invoice:
    now = clock.now()
    return issue(merchant, now=now, due_at=now + timedelta(days=14), **fields)


def buttons(page: Any) -> list[str]:
    """The actions beside the heading, in their order, the menu's after the others; each once."""
    head = page.content.decode().split('<div class="content-actions">')[1].split('<div class="detail-sub">')[0]
    found = [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in re.findall(r"<(?:a|button)\b[^>]*>(.*?)</(?:a|button)>", head, re.S)]
    return list(dict.fromkeys(found))


# --- which actions, in which state ----------------------------------------------------------------------------------
def test_each_state_has_its_actions(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    shown = {}
    for status in ("draft", "scheduled", "missed"):
        invoice = make_draft(merchant, issue_at=now + timedelta(days=1) if status == "scheduled" else None, due_at=now + timedelta(days=14))
        Invoice.objects.filter(pk=invoice.pk).update(status=status)
        shown[status] = buttons(desk.get(url("invoice", merchant, invoice.pk)))
    for status in ("open", "paid", "void"):
        invoice = issue_now(merchant)
        money = {"credited_minor": 180_000, "paid_at": now} if status == "paid" else {"voided_at": now} if status == "void" else {}
        Invoice.objects.filter(pk=invoice.pk).update(status=status, **money)
        shown[status] = [name for name in buttons(desk.get(url("invoice", merchant, invoice.pk))) if not name.startswith("Record a payment")]
    for names in shown.values():
        names[:] = [name for name in names if name != "Make a recurring copy"]  # of the schedules
    assert shown == {
        "draft": ["Edit", "Preview", "Publish…", "Duplicate", "Delete…"],
        "scheduled": ["Edit", "Preview", "Take back", "Duplicate", "Delete…"],
        "missed": ["Edit with new times", "Publish…", "Preview", "Duplicate", "Delete…"],
        "open": ["Copy pay link", "PDF", "Duplicate", "Resend…", "Remind…", "Replace link…", "Archive", "Void…", "Delete…"],
        "paid": ["Receipt", "PDF", "Duplicate", "Copy pay link", "Resend receipt…", "Replace link…", "Archive"],
        "void": ["PDF", "Write a replacement", "Resend cancellation…", "Replace link…", "Archive", "Delete…"],
    }


def test_with_money_on_it_archive_is_offered_and_delete_is_not(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    pay(invoice, 5_000, final=False)
    shown = buttons(desk.get(url("invoice", merchant, invoice.pk)))
    assert ("Archive" in shown, "Delete…" in shown) == (True, False)


def test_a_viewer_can_press_none_of_it(merchant: Merchant, viewer: User, client_as: Callable[[User], Client]) -> None:
    invoice = issue_now(merchant)
    looking = client_as(viewer)
    assert buttons(looking.get(url("invoice", merchant, invoice.pk))) == []
    before = Invoice.objects.values().get(pk=invoice.pk)
    for name in PRESSED:
        assert looking.post(url(name, merchant, invoice.pk), {"reason": "x", "form_key": KEY}).status_code == 403
    for name in ("invoice_preview", "invoice_preview_page", "invoice_preview_pdf", "invoice_preview_mail"):
        assert looking.get(url(name, merchant, invoice.pk)).status_code == 403
    assert Invoice.objects.values().get() == before


def test_another_merchants_invoice_cannot_be_touched(desk: Client, merchant: Merchant) -> None:
    foreign = issue_now(make_merchant(slug="other"))
    before = Invoice.objects.values().get(pk=foreign.pk)
    for name in PRESSED:
        assert desk.post(url(name, merchant, foreign.pk), {"reason": "x", "form_key": KEY}).status_code == 404
    assert Invoice.objects.values().get() == before


# --- duplicate ------------------------------------------------------------------------------------------------------
def test_duplicate_leads_to_the_form_of_the_copy_and_pressed_twice_to_the_same(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    page = desk.get(url("invoice", merchant, invoice.pk)).content.decode()
    key = re.findall(r'name="form_key" value="([\w-]{43})"', page)[0]
    first = desk.post(url("invoice_duplicate", merchant, invoice.pk), {"form_key": key})
    second = desk.post(url("invoice_duplicate", merchant, invoice.pk), {"form_key": key})
    copy = Invoice.objects.get(status="draft")
    assert first["Location"] == second["Location"] == url("invoice_edit", merchant, copy.pk)
    assert "This draft is a copy of INV-000001, with new dates." in words(desk.get(first["Location"]))
    assert "Inês Matos created the draft as a copy of INV-000001" in words(desk.get(url("invoice", merchant, copy.pk)))


def test_a_key_that_is_none_is_made_anew(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    for key in ("", "short", "<script>" * 6, "\0" * 43):
        assert desk.post(url("invoice_duplicate", merchant, invoice.pk), {"form_key": key}).status_code == 302
    assert Invoice.objects.filter(status="draft").count() == 4


# --- void and write a replacement -----------------------------------------------------------------------------------
def test_void_and_write_a_replacement_leads_to_its_form_also_when_pressed_twice(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    path = url("invoice_void", merchant, invoice.pk)
    asked = desk.get(path)
    assert "Void and write a replacement" in words(asked)
    key = re.findall(r'name="form_key" value="([\w-]{43})"', asked.content.decode())[0]
    data = {"reason": "Wrong address", "then": "replace", "form_key": key}
    first, second = desk.post(path, data), desk.post(path, data)
    copy = Invoice.objects.get(status="draft")
    assert first["Location"] == second["Location"] == url("invoice_edit", merchant, copy.pk)
    assert copy.replaces == invoice
    assert Event.objects.filter(kind="invoice.voided").count() == 1


def test_a_replacement_is_written_once_and_opened_after_that(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    desk.post(url("invoice_void", merchant, invoice.pk), {"reason": "Wrong address"})
    assert "Write a replacement" in buttons(desk.get(url("invoice", merchant, invoice.pk)))
    desk.post(url("invoice_duplicate", merchant, invoice.pk), {"form_key": KEY})
    copy = Invoice.objects.get(status="draft")
    there = url("invoice", merchant, copy.pk)
    for status in ("draft", "scheduled", "missed"):
        Invoice.objects.filter(pk=copy.pk).update(status=status)
        page = desk.get(url("invoice", merchant, invoice.pk))
        assert ("Open the replacement" in buttons(page), "Write a replacement" in words(page)) == (True, False)
        assert f'href="{there}"' in page.content.decode()
    for path, data in (("invoice_duplicate", {}), ("invoice_void", {"then": "replace", "reason": "Wrong address"})):
        answer = desk.post(url(path, merchant, invoice.pk), {"form_key": "g" * 43, **data}, follow=True)
        assert answer.redirect_chain[-1][0] == there
        assert "This replaces INV-000001 once it is issued; it was written before." in words(answer)
    assert Invoice.objects.count() == 2
    Invoice.objects.filter(pk=copy.pk).update(status="draft", due_at=clock.now() + timedelta(days=14))
    desk.post(url("invoice_publish", merchant, copy.pk), {"version": copy.version})
    assert "Duplicate" in buttons(desk.get(url("invoice", merchant, invoice.pk)))


@pytest.mark.parametrize(
    ("credited", "pending", "sentence"),
    [
        (5_025, 0, "leads to it. 50.25 EUR came for it. That money stays on it"),
        (0, 700, "leads to it. 7.00 EUR is confirming for it. That money stays on it"),
        (5_025, 700, "leads to it. 50.25 EUR came for it, 7.00 EUR is confirming. That money stays on it"),
    ],
)
def test_voiding_tells_of_the_money_that_is_there_and_of_no_other(
    desk: Client, merchant: Merchant, credited: int, pending: int, sentence: str
) -> None:
    invoice = issue_now(merchant)
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=credited, pending_minor=pending)
    assert sentence in words(desk.get(url("invoice_void", merchant, invoice.pk)))


def test_without_a_reason_it_is_neither_voided_nor_copied(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    answer = desk.post(url("invoice_void", merchant, invoice.pk), {"reason": "", "then": "replace", "form_key": KEY})
    assert "Say why, in a sentence." in words(answer)
    assert f'value="{KEY}"' in answer.content.decode()
    assert list(Invoice.objects.values_list("status", flat=True)) == ["open"]


def test_the_cancelled_page_leads_to_the_replacement_and_the_desk_says_so(desk: Client, merchant: Merchant, client: Client) -> None:
    invoice = issue_now(merchant)
    desk.post(url("invoice_void", merchant, invoice.pk), {"reason": "Wrong address", "then": "replace", "form_key": KEY})
    copy = Invoice.objects.get(status="draft")
    assert "It replaces INV-000001 , whose cancelled page leads here once this is issued." in words(desk.get(url("invoice", merchant, copy.pk)))
    assert "replaces it" not in words(client.get(f"/i/{invoice.public_id}/"))
    desk.post(url("invoice_publish", merchant, copy.pk), {"version": copy.version})
    copy.refresh_from_db()
    page = client.get(f"/i/{invoice.public_id}/")
    assert "See INV-000002, which replaces it" in words(page)
    assert f'href="/i/{copy.public_id}/"' in page.content.decode()
    old = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "INV-000002 replaces it, and its cancelled page leads there." in old
    assert "Duplicate" in old
    assert "Write a replacement" not in old


# --- delete and archive ---------------------------------------------------------------------------------------------
def test_deleting_an_issued_one_asks_for_a_reason_voids_it_and_keeps_its_number(desk: Client, merchant: Merchant, client: Client) -> None:
    invoice = issue_now(merchant)
    path = url("invoice_delete", merchant, invoice.pk)
    asked = words(desk.get(path))
    assert "ana@duarte.example will be mailed that it is cancelled, with your reason." in asked
    assert "Its number stays used, and its link says that it is cancelled." in asked
    assert "Say why, in a sentence." in words(desk.post(path, {"reason": ""}))
    answer = desk.post(path, {"reason": "Sent by mistake"})
    assert answer["Location"] == url("invoices", merchant)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf, invoice.number) == ("void", "removed", "INV-000001")
    assert "Cancelled" in words(client.get(f"/i/{invoice.public_id}/"))
    page = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "INV-000001 is void and off the dashboard. Ana Duarte is told." in page
    assert "Removed from the dashboard on" in page
    fanout.run(clock.now())
    assert list(Delivery.objects.filter(template="cancelled").values_list("recipient", flat=True)) == ["ana@duarte.example"]
    assert "INV-000001 is removed from the dashboard already." in words(desk.post(path, {"reason": "Again"}, follow=True))


def test_deleting_a_void_one_asks_no_reason_and_tells_nobody(desk: Client, merchant: Merchant, owner: User) -> None:
    invoice = lifecycle.void(issue_now(merchant), by=owner, reason="x", now=clock.now())
    fanout.run(clock.now())
    before = Delivery.objects.count()
    path = url("invoice_delete", merchant, invoice.pk)
    assert "Nobody is told; its payer knows that it is cancelled." in words(desk.get(path))
    desk.post(path)
    fanout.run(clock.now())
    invoice.refresh_from_db()
    assert (invoice.shelf, Delivery.objects.count()) == ("removed", before)


def test_with_money_on_it_the_page_says_why_it_stays_and_offers_the_archive(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    pay(invoice, 5_000)
    path = url("invoice_delete", merchant, invoice.pk)
    asked = desk.get(path)
    assert "INV-000001 cannot be deleted There is money on it" in words(asked)
    assert f'action="{url("invoice_archive", merchant, invoice.pk)}"' in asked.content.decode()
    answer = desk.post(path, {"reason": "x"}, follow=True)
    assert "There is money on INV-000001, so it cannot be deleted. Archive it instead." in words(answer)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf) == ("open", "desk")


def test_an_archived_one_with_money_is_told_that_it_is_archived(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    pay(invoice, 5_000)
    desk.post(url("invoice_archive", merchant, invoice.pk))
    asked = words(desk.get(url("invoice_delete", merchant, invoice.pk)))
    assert ("It is archived already." in asked, "Archive it instead" in asked) == (True, False)


def test_archived_and_put_back_with_a_banner_between(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    archived = words(desk.post(url("invoice_archive", merchant, invoice.pk), follow=True))
    assert "INV-000001 is archived: it is no longer in the list." in archived
    assert "Archived on" in archived
    assert "Put it back" in archived
    assert "Inês Matos archived it" in archived
    back = words(desk.post(url("invoice_unarchive", merchant, invoice.pk), follow=True))
    assert "INV-000001 is back in the list." in back
    assert "Archived on" not in back
    assert "is on the dashboard already" in words(desk.post(url("invoice_unarchive", merchant, invoice.pk), follow=True))


def test_a_draft_is_not_archived(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant)
    assert "only an issued invoice can be archived" in words(desk.post(url("invoice_archive", merchant, draft.pk), follow=True))


# --- the link -------------------------------------------------------------------------------------------------------
def test_replacing_the_link_asks_says_what_happens_and_the_old_one_is_gone(desk: Client, merchant: Merchant, client: Client) -> None:
    invoice = issue_now(merchant)
    old = invoice.public_id
    path = url("invoice_replace_link", merchant, invoice.pk)
    asked = desk.get(path)
    assert "The old one stops at once, also in the mail that has been sent" in words(asked)
    assert "Ana Duarte gets nothing by itself." in words(asked)
    assert client.get(f"/i/{old}/").status_code == 200
    mark = re.findall(r'name="mark" value="(\w{16})"', asked.content.decode())[0]
    page = words(desk.post(path, {"mark": mark}, follow=True))
    assert "INV-000001 has a new link. The old one opens nothing any more." in page
    assert "Inês Matos replaced its link" in page
    invoice.refresh_from_db()
    for ending in ("", "pay/", "invoice.pdf", "brand.css"):
        assert client.get(f"/i/{old}/{ending}").status_code == 404
    assert client.get(f"/i/{invoice.public_id}/").status_code == 200
    assert old not in desk.get(url("invoice", merchant, invoice.pk)).content.decode()


def test_pressed_twice_one_link_is_replaced(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    path = url("invoice_replace_link", merchant, invoice.pk)
    mark = re.findall(r'name="mark" value="(\w{16})"', desk.get(path).content.decode())[0]
    desk.post(path, {"mark": mark})
    first = Invoice.objects.get().public_id
    assert "The link of INV-000001 has just been replaced." in words(desk.post(path, {"mark": mark}, follow=True))
    assert Invoice.objects.get().public_id == first
    assert desk.post(path).status_code == 302
    assert Invoice.objects.get().public_id == first


def test_until_the_new_link_is_mailed_the_page_offers_to(desk: Client, merchant: Merchant) -> None:
    invoice = issue_now(merchant)
    fanout.run(clock.now())
    sent = Delivery.objects.get(template="issued")
    Delivery.objects.update(status="sent", sent_at=clock.now())
    path = url("invoice", merchant, invoice.pk)
    assert "Mail the new link" not in words(desk.get(path))
    lifecycle.replace_link(invoice, by=merchant.memberships.get().user, now=clock.now())
    assert "Mail the new link to ana@duarte.example…" in words(desk.get(path))
    desk.post(url("invoice_resend", merchant, invoice.pk))
    assert "Mail the new link" not in words(desk.get(path))
    again = Delivery.objects.exclude(pk=sent.pk).get(channel="email")
    Delivery.objects.filter(pk=again.pk).update(status="failed")
    assert "Mail the new link" in words(desk.get(path))
    Delivery.objects.filter(pk=again.pk).update(status="sent", sent_at=clock.now())
    assert "Mail the new link" not in words(desk.get(path))


def test_a_draft_has_no_link_to_replace(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant)
    assert "has not been issued; it has no link yet" in words(desk.get(url("invoice_replace_link", merchant, draft.pk), follow=True))


# --- where it came from ---------------------------------------------------------------------------------------------
def test_an_invoice_of_a_schedule_says_which_it_is(desk: Client, merchant: Merchant) -> None:
    invoice, now = issue_now(merchant), clock.now()
    schedule = Schedule.objects.create(merchant=merchant, title="Studio retainer", currency="EUR")
    Occurrence.objects.create(schedule=schedule, k=4, planned_at=now, state="issued", invoice=invoice, at=now)
    assert "No. 4 of Studio retainer" in words(desk.get(url("invoice", merchant, invoice.pk)))


def test_the_status_is_read_again_when_something_is_pressed(desk: Client, merchant: Merchant) -> None:
    """Opened while it was a draft, pressed when it is issued: nothing is deleted for good."""
    invoice = issue_now(merchant)
    desk.post(url("invoice_delete", merchant, invoice.pk))
    invoice.refresh_from_db()
    assert invoice.status == Status.OPEN
