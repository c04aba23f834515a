"""Off the desk and back: archived, removed, and another link. The status has its own tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import lifecycle, pdf, shelves
from invoicing.models import Invoice, Rendering
from merchants.models import Event, Merchant, User
from payments import settlement
from tests.factories import NOW, make_draft, publish

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk).order_by("id").values_list("kind", flat=True))


def transfer(invoice: Invoice, **fields: Any) -> Any:
    values = {"status": "seen", "credit_minor": 5_000, "credit_rate": "0.9208"} | fields
    return invoice.transfers.create(  # type: ignore[attr-defined]
        network="sandbox:harbour",
        txid="a" * 64,
        place=0,
        asset_id="sandbox:harbour/token:usdt",
        amount_units=54_300_000,
        first_seen_at=NOW,
        confirmations_needed=3,
        **values,
    )


def record(invoice: Invoice, **fields: Any) -> Any:
    return invoice.recorded_payments.create(form_key="r" * 43, way="bank", amount_minor=5_000, paid_at=NOW, recorded_at=NOW, **fields)  # type: ignore[attr-defined]


def test_an_open_one_without_money_is_voided_and_removed(merchant: Merchant, owner: User) -> None:
    invoice = shelves.remove(publish(make_draft(merchant)), by=owner, reason=" Sent by mistake ", now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf, invoice.number, invoice.void_reason) == ("void", "removed", "INV-000001", "Sent by mistake")
    assert kinds(invoice) == ["invoice.issued", "invoice.voided", "invoice.removed"]
    assert publish(make_draft(merchant)).number == "INV-000002"


def test_a_void_one_is_only_removed(merchant: Merchant, owner: User) -> None:
    void = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="Wrong address", now=NOW)
    invoice = shelves.remove(void, by=owner, now=LATER)
    assert (invoice.shelf, invoice.void_reason) == ("removed", "Wrong address")
    assert kinds(invoice) == ["invoice.issued", "invoice.voided", "invoice.removed"]


@pytest.mark.parametrize(
    "money",
    [
        pytest.param(lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(credited_minor=1), id="credited"),
        pytest.param(lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(pending_minor=1), id="pending"),
        pytest.param(lambda invoice: transfer(invoice), id="seen"),
        pytest.param(lambda invoice: transfer(invoice, status="final", credit_minor=None, is_held=True), id="held"),
        pytest.param(lambda invoice: record(invoice), id="recorded by hand"),
    ],
)
def test_with_money_on_it_nothing_is_removed(merchant: Merchant, owner: User, money: Any) -> None:
    invoice = publish(make_draft(merchant))
    money(invoice)
    with pytest.raises(lifecycle.Refused) as refused:
        shelves.remove(invoice, by=owner, reason="x", now=LATER)
    assert str(refused.value) == "There is money on INV-000001, so it cannot be deleted. Archive it instead."
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf, kinds(invoice)) == ("open", "desk", ["invoice.issued"])


def test_what_was_dropped_or_reversed_is_no_money(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    transfer(invoice, status="dropped")
    record(invoice, reversed_at=NOW)
    assert shelves.remove(invoice, by=owner, reason="x", now=LATER).shelf == "removed"


def test_a_draft_is_not_removed_and_nothing_is_removed_twice(merchant: Merchant, owner: User) -> None:
    with pytest.raises(lifecycle.Refused, match="has not been issued; it can be deleted for good"):
        shelves.remove(make_draft(merchant), by=owner, now=LATER)
    invoice = shelves.remove(publish(make_draft(merchant)), by=owner, reason="x", now=LATER)
    with pytest.raises(lifecycle.Refused, match="INV-000001 is removed from the dashboard already"):
        shelves.remove(invoice, by=owner, reason="y", now=LATER)
    invoice.refresh_from_db()
    assert invoice.void_reason == "x"


def test_money_that_comes_for_a_removed_one_brings_it_back(merchant: Merchant, owner: User) -> None:
    invoice = shelves.remove(publish(make_draft(merchant)), by=owner, reason="x", now=NOW)
    transfer(invoice, status="final")
    settlement.reconsider(invoice.pk, now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf, invoice.credited_minor) == ("void", "desk", 5_000)
    event = Event.objects.get(kind="invoice.unarchived")
    assert (event.actor, event.at) == (None, LATER)


def test_a_held_payment_brings_a_removed_one_back_too(merchant: Merchant, owner: User) -> None:
    invoice = shelves.remove(publish(make_draft(merchant)), by=owner, reason="x", now=NOW)
    transfer(invoice, status="final", credit_minor=None, is_held=True)
    settlement.reconsider(invoice.pk, now=LATER)
    invoice.refresh_from_db()
    assert (invoice.shelf, invoice.credited_minor) == ("desk", 0)


def test_settling_again_leaves_what_is_removed_or_archived_where_it_is(merchant: Merchant, owner: User) -> None:
    removed = shelves.remove(publish(make_draft(merchant)), by=owner, reason="x", now=NOW)
    archived = shelves.archive(publish(make_draft(merchant)), by=owner, now=NOW)
    for invoice in (removed, archived):
        settlement.reconsider(invoice.pk, now=LATER)
    assert list(Invoice.objects.order_by("id").values_list("shelf", flat=True)) == ["removed", "archived"]


@pytest.mark.parametrize("status", ["open", "paid", "void"])
def test_an_issued_one_is_archived_and_put_back_and_nothing_else_changes(merchant: Merchant, owner: User, status: str) -> None:
    invoice = publish(make_draft(merchant))
    Invoice.objects.filter(pk=invoice.pk).update(status=status)
    before = Invoice.objects.values().get(pk=invoice.pk)
    shelves.archive(invoice, by=owner, now=LATER)
    assert Invoice.objects.values().get(pk=invoice.pk) == before | {"shelf": "archived"}
    shelves.unarchive(invoice, by=owner, now=LATER)
    assert Invoice.objects.values().get(pk=invoice.pk) == before
    assert kinds(invoice) == ["invoice.issued", "invoice.archived", "invoice.unarchived"]
    assert Event.objects.get(kind="invoice.archived").actor == owner


def test_an_archived_open_one_can_still_be_paid(merchant: Merchant, owner: User) -> None:
    invoice = shelves.archive(publish(make_draft(merchant)), by=owner, now=NOW)
    transfer(invoice, status="final", credit_minor=180_000)
    settlement.reconsider(invoice.pk, now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.shelf) == ("paid", "archived")


def test_the_shelf_refuses_in_sentences(merchant: Merchant, owner: User) -> None:
    draft, invoice = make_draft(merchant), publish(make_draft(merchant))
    refusals = []
    for press in (
        lambda: shelves.archive(draft, by=owner, now=NOW),
        lambda: shelves.unarchive(invoice, by=owner, now=NOW),
        lambda: shelves.archive(shelves.archive(invoice, by=owner, now=NOW), by=owner, now=NOW),
    ):
        with pytest.raises(lifecycle.Refused) as refused:
            press()
        refusals.append(str(refused.value))
    assert refusals == [
        "Brand identity, phase 2 has not been issued; only an issued invoice can be archived.",
        "INV-000001 is on the dashboard already.",
        "INV-000001 is archived or removed already.",
    ]


# --- the link -----------------------------------------------------------------------------------------------------
def test_a_replaced_link_is_a_new_one_and_its_event_tells_neither(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    old = invoice.public_id
    new = lifecycle.replace_link(invoice, by=owner, now=LATER).public_id
    invoice.refresh_from_db()
    assert invoice.public_id == new != old
    event = Event.objects.get(kind="invoice.link_replaced")
    assert event.actor == owner
    assert old not in str(event.facts)
    assert new not in str(event.facts)


def test_the_pdf_is_printed_anew_and_what_was_printed_with_the_old_link_is_not_kept(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    before = pdf.ensure(invoice.pk, now=NOW)
    lifecycle.replace_link(invoice, by=owner, now=LATER)
    waiting = Rendering.objects.get(invoice=invoice, kind="invoice")
    assert (waiting.pk != before.pk, waiting.made_at) == (True, None)
    assert pdf.ensure(invoice.pk, now=LATER).sha256 != before.sha256


def test_a_pdf_begun_before_the_link_was_replaced_is_thrown_away(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = publish(make_draft(merchant))
    Rendering.objects.all().delete()

    def slow(drawn: Invoice, _kind: str) -> bytes:
        lifecycle.replace_link(invoice, by=owner, now=LATER)
        return f"link {drawn.public_id}".encode()

    monkeypatch.setattr(pdf.stored.paper, "render", slow)
    with pytest.raises(pdf.NotMade, match="changed while its PDF was being made"):
        pdf.ensure(invoice.pk, now=NOW)
    assert Rendering.objects.get(invoice=invoice).made_at is None


def test_the_receipt_stays_for_it_carries_no_link(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    lifecycle.account(invoice, lifecycle.Money(180_000, 0, False, False, False), now=NOW)
    receipt = pdf.ensure(invoice.pk, kind="receipt", now=NOW)
    lifecycle.replace_link(invoice, by=owner, now=LATER)
    assert pdf.ensure(invoice.pk, kind="receipt", now=LATER) == receipt


def test_a_link_is_replaced_once_for_those_who_saw_the_same_one(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    seen = Invoice.objects.get(pk=invoice.pk)
    lifecycle.replace_link(invoice, by=owner, now=LATER)
    with pytest.raises(lifecycle.MovedOn, match="The link of INV-000001 has just been replaced"):
        lifecycle.replace_link(seen, by=owner, now=LATER)


def test_what_was_not_issued_has_no_link_to_replace(merchant: Merchant, owner: User) -> None:
    with pytest.raises(lifecycle.Refused, match="has not been issued; it has no link yet"):
        lifecycle.replace_link(make_draft(merchant), by=owner, now=LATER)
