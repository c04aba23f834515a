"""The one door for an invoice's status: every move, every refusal, and what is frozen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import issuing, lifecycle, snapshot
from invoicing.lifecycle import MOVES, Money
from invoicing.models import Invoice, Payer, Status
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=7)


def publish(invoice: Invoice, *, now: Any = NOW, by: User | None = None) -> Invoice:
    return lifecycle.publish(invoice, by=by, version=invoice.version, now=now)


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk).order_by("id").values_list("kind", flat=True))


def paid(minor: int, pending: int = 0) -> Money:
    return Money(minor, pending, is_underpaid=False, is_overpaid=False, is_paid_late=False)


def test_published_without_an_issue_time_it_is_issued_at_once(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant), by=owner)
    assert (invoice.status, invoice.number, invoice.issued_at, invoice.issue_at) == ("open", "INV-000001", NOW, NOW)
    event = Event.objects.get(kind="invoice.issued")
    assert (event.actor, event.actor_name, event.at, event.merchant) == (owner, "Inês Matos", NOW, merchant)
    assert event.facts["invoice"]["total"] == "1800.00"


def test_published_with_a_past_issue_time_it_is_issued_at_once(merchant: Merchant) -> None:
    assert publish(make_draft(merchant, issue_at=NOW - timedelta(days=1))).status == "open"


def test_published_for_later_it_waits_and_is_issued_at_its_time(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, issue_at=LATER))
    assert (invoice.status, invoice.number) == ("scheduled", "")
    assert issuing.run_due(now=LATER - timedelta(seconds=1)) == 0
    assert issuing.run_due(now=LATER) == 1
    assert issuing.run_due(now=LATER) == 0
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number, invoice.issued_at) == ("open", "INV-000001", LATER)
    assert kinds(invoice) == ["invoice.scheduled", "invoice.issued"]


def test_past_its_due_time_it_is_never_issued_but_missed(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, issue_at=LATER, due_at=LATER + timedelta(hours=1)))
    assert issuing.run_due(now=LATER + timedelta(hours=1)) == 1
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number, kinds(invoice)) == ("missed", "", ["invoice.scheduled", "invoice.missed"])
    merchant.refresh_from_db()
    assert merchant.next_number == 1


def test_one_that_cannot_be_issued_holds_up_no_other(merchant: Merchant, caplog: pytest.LogCaptureFixture) -> None:
    publish(make_draft(merchant))
    Merchant.objects.filter(pk=merchant.pk).update(next_number=1)  # its next number is taken
    stuck = publish(make_draft(merchant, issue_at=LATER))
    other = publish(make_draft(make_merchant(slug="another"), issue_at=LATER))
    assert issuing.run_due(now=LATER) == 1
    assert [Invoice.objects.get(pk=found.pk).status for found in (stuck, other)] == ["scheduled", "open"]
    assert f"Invoice {stuck.pk} could not be issued" in caplog.text


def test_a_missed_invoice_can_be_given_new_times(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, issue_at=LATER, due_at=LATER + timedelta(hours=1)))
    issuing.run_due(now=LATER + timedelta(days=1))
    Invoice.objects.update(issue_at=LATER + timedelta(days=2), due_at=LATER + timedelta(days=9))
    invoice.refresh_from_db()
    assert publish(invoice, now=LATER + timedelta(days=1)).status == "scheduled"


def test_what_can_no_longer_be_paid_when_its_time_comes_is_missed_with_its_reason(merchant: Merchant) -> None:
    publish(make_draft(merchant, issue_at=LATER))
    Merchant.objects.update(accepted_assets=[])
    issuing.run_due(now=LATER)
    assert Event.objects.get(kind="invoice.missed").facts["reason"] == "not_payable"


def test_a_scheduled_invoice_can_be_taken_back(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant, issue_at=LATER))
    lifecycle.unschedule(invoice, by=owner, now=NOW)
    assert issuing.run_due(now=LATER) == 0
    invoice.refresh_from_db()
    assert (invoice.status, invoice.published_at) == ("draft", None)


def test_numbers_have_no_gaps_though_drafts_are_deleted_and_refused(merchant: Merchant) -> None:
    numbers = []
    for total in ("10.00", "0.00", "20.00"):
        draft = make_draft(merchant, lines=[("Work", "1", total)])
        try:
            numbers.append(publish(draft).number)
        except lifecycle.Refused:
            draft.delete()
    assert numbers == ["INV-000001", "INV-000002"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"payer_email": ""}, "Say who pays: a name and an email address."),
        ({"title": ""}, "Give it a title."),
        ({"total_minor": 0}, "The total is zero. Add an item with a price."),
        ({"due_at": None}, "Say until when it is to be paid."),
        ({"due_at": NOW}, "It would be due before it is sent. Choose a later due time."),
        ({"issue_at": LATER, "due_at": LATER}, "It would be due before it is sent. Choose a later due time."),
        ({"all_assets": False, "asset_ids": []}, "Choose at least one token it can be paid with."),
        ({"all_assets": False, "asset_ids": ["eip155:1/slip44:60"]}, "Choose at least one token it can be paid with."),
    ],
)
def test_publishing_refuses_what_is_not_whole_in_words(merchant: Merchant, fields: dict[str, Any], sentence: str) -> None:
    draft = make_draft(merchant)
    Invoice.objects.filter(pk=draft.pk).update(**fields)
    draft.refresh_from_db()
    with pytest.raises(lifecycle.Refused) as refused:
        publish(draft)
    assert str(refused.value) == sentence
    draft.refresh_from_db()
    assert (draft.status, kinds(draft)) == ("draft", [])


def test_publishing_twice_is_refused_with_its_number(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    with pytest.raises(lifecycle.Refused, match="INV-000001 is open; it cannot be published again"):
        publish(invoice)
    assert kinds(invoice) == ["invoice.issued"]


def test_publishing_what_was_edited_meanwhile_is_refused(merchant: Merchant) -> None:
    draft = make_draft(merchant)
    Invoice.objects.update(version=2)
    with pytest.raises(lifecycle.MovedOn):
        publish(draft)


def test_void_keeps_the_number_and_says_why(merchant: Merchant, owner: User) -> None:
    invoice = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="  Sent to the wrong client ", now=LATER)
    assert (invoice.status, invoice.number, invoice.void_reason, invoice.voided_at) == ("void", "INV-000001", "Sent to the wrong client", LATER)


def test_what_is_paid_cannot_be_voided(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    lifecycle.account(invoice, paid(180_000), now=NOW)
    with pytest.raises(lifecycle.Refused) as refused:
        lifecycle.void(invoice, by=owner, reason="x", now=NOW)
    assert str(refused.value) == "INV-000001 is paid; it cannot be voided."


def test_every_move_not_in_the_table_is_refused(merchant: Merchant) -> None:
    refused = []
    for event, (allowed, _target) in MOVES.items():
        for status in set(Status) - allowed:
            invoice = make_draft(merchant)
            invoice.status = status
            with pytest.raises(lifecycle.Refused):
                lifecycle._move(invoice, event, now=NOW)
            refused.append((event, status))
    assert len(refused) == sum(len(Status) - len(allowed) for allowed, _target in MOVES.values())


def test_the_view_is_an_event_once(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    assert [lifecycle.viewed(invoice, now=NOW + timedelta(minutes=n)) for n in range(3)] == [True, False, False]
    invoice.refresh_from_db()
    assert (invoice.viewed_at, kinds(invoice)) == (NOW, ["invoice.issued", "invoice.viewed"])


def test_a_draft_is_not_viewed(merchant: Merchant) -> None:
    assert lifecycle.viewed(make_draft(merchant), now=NOW) is False


def test_nothing_said_on_an_issued_invoice_follows_the_living(merchant: Merchant) -> None:
    payer = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")
    draft = make_draft(merchant, payer=payer)
    invoice = publish(draft)
    invoice.refresh_from_db()
    before = snapshot.document(invoice)
    Payer.objects.update(name="Someone Else", email="else@example.com")
    Merchant.objects.update(name="New Name", email="new@example.com", address="Elsewhere 1", tax_id="X", time_zone="Asia/Tokyo")
    Merchant.objects.update(brand_color="#000000", accepted_assets=[], tolerance_e4=9)
    invoice = Invoice.objects.select_related("merchant").get(pk=invoice.pk)
    assert snapshot.document(invoice) == before
    assert before.sender.name == "Harbour & Pine"
    assert [asset["symbol"] for asset in before.assets] == ["USDT", "ETH", "BTC"]


def test_a_draft_previews_what_is_true_now(merchant: Merchant) -> None:
    draft = make_draft(merchant)
    merchant.name, merchant.brand_color = "New Name", "#0B5563"
    merchant.save()
    shown = snapshot.document(Invoice.objects.get(pk=draft.pk))
    assert (shown.sender.name, shown.brand_color) == ("New Name", "#0B5563")


def test_an_edit_carries_the_version_it_started_from(merchant: Merchant) -> None:
    from django.db import transaction

    draft = make_draft(merchant)
    with transaction.atomic():
        assert lifecycle.claim_edit(draft, version=1).version == 2
    with transaction.atomic(), pytest.raises(lifecycle.MovedOn):
        lifecycle.claim_edit(draft, version=1)


def test_an_issued_invoice_cannot_be_edited(merchant: Merchant) -> None:
    from django.db import transaction

    invoice = publish(make_draft(merchant))
    with transaction.atomic(), pytest.raises(lifecycle.Refused, match="Void it and duplicate it"):
        lifecycle.claim_edit(invoice, version=invoice.version)


def test_an_event_outside_the_transaction_of_its_change_is_a_programming_error(merchant: Merchant, transactional_db: None) -> None:
    from merchants.events import record

    with pytest.raises(RuntimeError, match="in the transaction"):
        record("x.y", merchant=merchant, subject=merchant, now=NOW)
