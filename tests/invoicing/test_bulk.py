"""Many invoices at once: asked about first, each through its own door, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from invoicing import bulk, lifecycle
from invoicing.models import Bundle, Invoice, Shelf, Status
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.test_views_pages import url, words


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


@pytest.fixture
def three(merchant: Merchant) -> list[Invoice]:
    """Two open ones and a draft."""
    issued = [publish(make_draft(merchant, title=f"T{number}", payer_email=f"p{number}@duarte.example"), now=NOW) for number in range(2)]
    return [*issued, make_draft(merchant, title="T2")]


def press(desk: Client, merchant: Merchant, act: str, invoices: list[Invoice], **more: str) -> Any:
    return desk.post(url("invoices_bulk", merchant), {"act": act, "pk": [invoice.pk for invoice in invoices], **more}, follow=True)


def states(merchant: Merchant) -> list[tuple[str, str]]:
    return list(Invoice.objects.filter(merchant=merchant).order_by("id").values_list("status", "shelf"))


def test_voiding_is_asked_about_with_who_is_told_and_what_is_left(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    page = words(press(desk, merchant, "void", three))
    assert "2 invoices will be void. 2 addresses are mailed that they are cancelled, with your reason." in page
    assert "INV-000001 Ana Duarte · p0@duarte.example 1,800.00 EUR" in page
    assert "Left as they are T2 It has not been issued; it can be deleted." in page
    assert states(merchant) == [("open", "desk"), ("open", "desk"), ("draft", "desk")]
    assert not Event.objects.filter(kind="invoice.voided").exists()


def test_confirmed_each_is_voided_through_its_door(desk: Client, merchant: Merchant, three: list[Invoice], owner: User) -> None:
    page = words(press(desk, merchant, "void", three, confirm="1", reason="Agreed by telephone"))
    assert "2 invoices are void; their payers are told." in page
    assert states(merchant) == [("void", "desk"), ("void", "desk"), ("draft", "desk")]
    events = Event.objects.filter(kind="invoice.voided")
    assert [(event.actor, event.facts["invoice"]["void_reason"]) for event in events] == [(owner, "Agreed by telephone")] * 2


def test_voiding_wants_a_reason_and_keeps_what_was_chosen(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    page = press(desk, merchant, "void", three, confirm="1", reason=" ")
    assert "Say why, in a sentence." in words(page)
    assert page.content.decode().count('name="pk"') == 2
    assert states(merchant)[0] == ("open", "desk")


def test_money_on_what_is_voided_is_pointed_out(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    Invoice.objects.filter(pk=three[0].pk).update(credited_minor=5)
    assert "Money came for 1 of them. It stays where it is" in words(press(desk, merchant, "void", three))


def test_archived_and_put_back(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    assert "2 invoices leave the list." in words(press(desk, merchant, "archive", three))
    assert "2 invoices are archived." in words(press(desk, merchant, "archive", three, confirm="1"))
    assert [shelf for _status, shelf in states(merchant)] == ["archived", "archived", "desk"]
    back = press(desk, merchant, "unarchive", [], all="1", query="archived=1")
    assert "2 invoices come back to the list." in words(back)
    assert "2 invoices are back on the list." in words(press(desk, merchant, "unarchive", three, confirm="1"))
    assert [shelf for _status, shelf in states(merchant)] == ["desk"] * 3
    assert (
        list(Event.objects.filter(kind__contains="archived").values_list("kind", flat=True)) == ["invoice.archived"] * 2 + ["invoice.unarchived"] * 2
    )


def test_all_that_match_are_those_of_the_filter_and_the_list_comes_back_as_it_was(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    page = press(desk, merchant, "void", [], all="1", query="q=T1&show=open")
    assert "1 invoice will be void." in words(page)
    done = press(desk, merchant, "void", [three[1]], confirm="1", reason="x", query="q=T1&show=open")
    assert done.redirect_chain == [(f"/m/{merchant.slug}/invoices/?show=open&q=T1", 302)]
    assert [status for status, _shelf in states(merchant)] == ["open", "void", "draft"]


def test_another_merchants_invoices_and_removed_ones_are_not_touched(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    theirs = publish(make_draft(make_merchant(slug="other"), title="Cider press"), now=NOW)
    Invoice.objects.filter(pk=three[1].pk).update(shelf=Shelf.REMOVED)
    for act in ("void", "archive", "unarchive", "zip"):
        page = press(desk, merchant, act, [theirs, three[1]], confirm="1", reason="x")
        assert "Choose the invoices first: there is a box beside each." in words(page)
        assert "Cider press" not in words(page)
    exported = desk.post(url("invoices_bulk", merchant), {"act": "export", "pk": [theirs.pk, three[0].pk]})
    assert b"".join(exported.streaming_content).decode().count("\r\n") == 2
    theirs.refresh_from_db()
    assert (theirs.status, theirs.shelf, Bundle.objects.count()) == (Status.OPEN, Shelf.DESK, 0)


def test_export_gives_the_chosen_ones_alone(desk: Client, merchant: Merchant, three: list[Invoice]) -> None:
    answer = desk.post(url("invoices_bulk", merchant), {"act": "export", "pk": [three[0].pk, three[2].pk], "query": "sort=payer"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["T0", "T2"]


def test_a_zip_takes_what_is_issued_and_says_what_it_leaves_out(desk: Client, merchant: Merchant, three: list[Invoice], owner: User) -> None:
    page = words(press(desk, merchant, "zip", three))
    bundle = Bundle.objects.get()
    assert (bundle.invoice_ids, bundle.total, bundle.asked_by) == ([three[1].pk, three[0].pk], 2, owner)
    assert "1 was left out: it has not been issued." in page
    assert "Making 2 PDFs" in page
    assert "None of these has been issued" in words(press(desk, merchant, "zip", three[2:]))


def test_more_than_the_most_are_refused_with_a_way_out(
    desk: Client, merchant: Merchant, three: list[Invoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    page = words(press(desk, merchant, "archive", [], all="1"))
    assert "At most 2 at a time. Narrow the list, by dates for instance." in page


def test_one_that_refuses_at_its_door_stops_none_of_the_others(merchant: Merchant, three: list[Invoice], owner: User) -> None:
    lifecycle.void(three[0], by=owner, reason="x", now=NOW)
    outcome = bulk.run(bulk.ACTS["void"], three, by=owner, reason="y", now=NOW)
    assert outcome.done == ["INV-000002"]
    assert outcome.refused == [("INV-000001", "INV-000001 is void; it cannot be voided."), ("T2", "T2 is draft; it cannot be voided.")]


@pytest.mark.parametrize(
    "data", [{}, {"act": "publish"}, {"act": "void", "pk": ["x", "-1", "9" * 30]}, {"act": "zip", "all": "1", "query": "q=nothing%00&at=x"}]
)
def test_nonsense_leads_back_to_the_list(desk: Client, merchant: Merchant, three: list[Invoice], data: dict[str, Any]) -> None:
    answer = desk.post(url("invoices_bulk", merchant), data)
    assert answer.status_code == 302
    assert answer.url.startswith(f"/m/{merchant.slug}/invoices/?")
    assert [status for status, _shelf in states(merchant)] == ["open", "open", "draft"]


def test_a_viewer_does_nothing_to_many(client_as: Callable[[User], Client], viewer: User, merchant: Merchant, three: list[Invoice]) -> None:
    for act in ("void", "archive", "zip", "export"):
        assert client_as(viewer).post(url("invoices_bulk", merchant), {"act": act, "all": "1", "confirm": "1", "reason": "x"}).status_code == 403
    assert [status for status, _shelf in states(merchant)] == ["open", "open", "draft"]
