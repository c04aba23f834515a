"""A copy of an invoice: the same contents and files, new dates, once for each time it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from invoicing import authoring, duplicating, lifecycle, uploads
from invoicing.models import Attachment, Invoice, Status
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, publish
from tests.invoicing.files import PDF

pytestmark = pytest.mark.django_db

KEY, OTHER = "a" * 43, "b" * 43
LATER = datetime(2027, 1, 20, 15, 0, tzinfo=UTC)
LINES = [("Logo and wordmark", "1", "1800.00", "23"), ("Stationery", "6", "92.50", "23")]


def copy_of(invoice: Invoice, by: User, *, key: str = KEY, now: datetime = LATER) -> Invoice:
    return Invoice.objects.get(pk=duplicating.duplicate(invoice, by=by, form_key=key, now=now).pk)


def attach(invoice: Invoice, by: User, name: str = "work.pdf") -> Attachment:
    stored = uploads.accept(SimpleUploadedFile(name, PDF), merchant=invoice.merchant, form_key=OTHER, by=by, now=NOW)
    uploads.attach(invoice, form_key=OTHER, removed=())
    return stored


def test_a_copy_has_the_same_contents_and_is_a_draft(merchant: Merchant, owner: User) -> None:
    original = publish(make_draft(merchant, lines=LINES, description="Two parts", payer_reference="PO-7", remark="Calls back in May"))
    copy = copy_of(original, owner)
    assert (copy.status, copy.number, copy.issue_at, copy.issued_at, copy.remark) == ("draft", "", None, None, "")
    for name in ("payer_name", "payer_email", "payer_reference", "title", "description", "currency", "language", "tax_lines"):
        assert getattr(copy, name) == getattr(original, name), name
    assert (copy.net_minor, copy.tax_minor, copy.total_minor) == (235_500, 54_165, 289_665)
    assert [(line.position, line.description, line.as_written(), line.amount_minor) for line in copy.lines.all()] == [
        (line.position, line.description, line.as_written(), line.amount_minor) for line in original.lines.all()
    ]
    assert copy.public_id != original.public_id
    assert (copy.created_by, copy.shelf, copy.replaces) == (owner, "desk", None)


def test_of_an_issued_invoice_it_copies_what_was_sent_not_what_is_true_now(merchant: Merchant, owner: User) -> None:
    original = publish(make_draft(merchant))
    Merchant.objects.update(name="Renamed Ltd", email="renamed@example.com")
    copy = copy_of(Invoice.objects.get(pk=original.pk), owner)
    assert (copy.merchant_name, copy.merchant_email) == ("Harbour & Pine", "studio@harbourpine.example")


def test_its_event_says_of_what_it_is_a_copy(merchant: Merchant, owner: User) -> None:
    copy = copy_of(publish(make_draft(merchant)), owner)
    event = Event.objects.get(kind="invoice.created", subject_id=copy.pk)
    assert (event.facts["copied_from"], event.actor, event.at) == ("INV-000001", owner, LATER)


@pytest.mark.parametrize("state", ["draft", "scheduled", "missed", "open", "paid", "void"])
def test_it_is_made_from_any_state_and_leaves_the_original_as_it_was(merchant: Merchant, owner: User, state: str) -> None:
    original = make_draft(merchant)
    if state in ("open", "void", "paid"):
        publish(original)
    Invoice.objects.filter(pk=original.pk).update(status=state)
    before = Invoice.objects.values().get(pk=original.pk)
    assert copy_of(original, owner).status == "draft"
    assert Invoice.objects.values().get(pk=original.pk) == before


def test_it_is_due_after_as_many_days_at_the_same_time_of_day(merchant: Merchant, owner: User) -> None:
    """Sent in summer and due at 18:00 in Lisbon; copied in winter it is due at 18:00 there too."""
    sent, due = datetime(2026, 7, 1, 8, 0, tzinfo=UTC), datetime(2026, 7, 11, 17, 0, tzinfo=UTC)
    original = publish(make_draft(merchant, due_at=due), now=sent)
    assert copy_of(original, owner).due_at == datetime(2027, 1, 30, 18, 0, tzinfo=UTC)


def test_without_a_sending_date_it_is_due_after_the_merchants_days(merchant: Merchant, owner: User) -> None:
    Merchant.objects.update(due_after_days=30)
    merchant.refresh_from_db()
    assert copy_of(make_draft(merchant, due_at=None), owner).due_at == datetime(2027, 2, 19, 18, 0, tzinfo=UTC)
    timed = make_draft(merchant, due_at=datetime(2026, 12, 1, 12, 30, tzinfo=UTC))
    assert copy_of(timed, owner, key=OTHER).due_at == datetime(2027, 2, 19, 12, 30, tzinfo=UTC)


def test_due_on_its_own_day_it_is_never_due_before_it_is_sent(merchant: Merchant, owner: User) -> None:
    original = publish(make_draft(merchant, due_at=NOW + timedelta(hours=2)))
    assert copy_of(original, owner).due_at == datetime(2027, 1, 21, 12, 0, tzinfo=UTC)
    morning = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)
    assert copy_of(original, owner, key=OTHER, now=morning).due_at == datetime(2027, 1, 20, 12, 0, tzinfo=UTC)


def test_asked_for_twice_with_one_form_it_is_one_copy(merchant: Merchant, owner: User) -> None:
    original = make_draft(merchant)
    assert copy_of(original, owner) == copy_of(original, owner)
    assert Invoice.objects.count() == 2
    assert copy_of(original, owner, key=OTHER) not in (original, copy_of(original, owner))


def test_all_tokens_stay_all_and_a_choice_keeps_those_still_accepted(merchant: Merchant, owner: User) -> None:
    usdt, eth = merchant.accepted_assets[0], merchant.accepted_assets[1]
    everything, chosen = publish(make_draft(merchant)), publish(make_draft(merchant, all_assets=False, asset_ids=[usdt, eth]))
    Merchant.objects.update(accepted_assets=[eth])
    copy = copy_of(Invoice.objects.get(pk=everything.pk), owner)
    assert (copy.all_assets, copy.asset_ids) == (True, [])
    copy = copy_of(Invoice.objects.get(pk=chosen.pk), owner, key=OTHER)
    assert (copy.all_assets, copy.asset_ids) == (False, [eth])


def test_the_files_come_along_and_outlive_the_original(merchant: Merchant, owner: User, django_capture_on_commit_callbacks: object) -> None:
    original = make_draft(merchant)
    stored = attach(original, owner)
    copy = copy_of(original, owner)
    mine = copy.attachments.get()
    assert (mine.name, mine.size, mine.sha256, mine.file.name) == ("work.pdf", len(PDF), stored.sha256, stored.file.name)
    assert mine.public_id != stored.public_id
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        authoring.delete(original, by=owner, now=LATER)
    with mine.file.open("rb") as file:
        assert file.read() == PDF


def test_the_copy_of_a_void_one_replaces_it_once_it_is_issued(merchant: Merchant, owner: User) -> None:
    old = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="Wrong address", now=NOW)
    copy = copy_of(old, owner)
    assert copy.replaces == old
    old.refresh_from_db()
    assert old.replaced_by is None
    publish(copy, now=LATER, by=owner)
    old.refresh_from_db()
    assert (old.replaced_by, old.status) == (copy, "void")
    event = Event.objects.get(kind="invoice.replaced")
    assert (event.subject_id, event.facts["replacement"], event.actor) == (old.pk, "INV-000002", owner)


def test_the_first_replacement_issued_is_the_one(merchant: Merchant, owner: User) -> None:
    old = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="Wrong address", now=NOW)
    first, second = copy_of(old, owner), copy_of(old, owner, key=OTHER)
    publish(second, now=LATER)
    publish(first, now=LATER)
    old.refresh_from_db()
    assert old.replaced_by == second
    assert Event.objects.filter(kind="invoice.replaced").count() == 1


def test_a_copy_of_a_copy_does_not_replace(merchant: Merchant, owner: User) -> None:
    old = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="Wrong address", now=NOW)
    copy = copy_of(old, owner)
    assert copy_of(copy, owner, key=OTHER).replaces is None


def test_a_missed_copy_given_new_times_still_replaces(merchant: Merchant, owner: User) -> None:
    old = lifecycle.void(publish(make_draft(merchant)), by=owner, reason="Wrong address", now=NOW)
    copy = copy_of(old, owner)
    Invoice.objects.filter(pk=copy.pk).update(status=Status.SCHEDULED, issue_at=LATER)
    issued = lifecycle.issue_due(copy.pk, now=LATER)
    old.refresh_from_db()
    assert old.replaced_by == issued
