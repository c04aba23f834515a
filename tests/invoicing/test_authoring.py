"""Saving what was written: one transaction, one draft, nobody's words lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from invoicing import authoring, lifecycle, uploads
from invoicing.authoring import Content, WrittenLine
from invoicing.models import Attachment, Invoice, LineItem, Payer, Status
from invoicing.totals import Line
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.files import PDF

KEY, OTHER = "k" * 43, "o" * 43
CONTENT = Content(
    payer_name="Ana Duarte",
    payer_email="ana@duarte.example",
    payer_address="Rua do Sol 1\nLisboa",
    payer_tax_id="PT123",
    payer_reference="PO-7",
    merchant_name="Harbour & Pine",
    merchant_email="studio@harbourpine.example",
    title="Brand identity, phase 2",
    description="",
    currency="EUR",
    prices_include_tax=False,
    lines=(
        WrittenLine("Logo and wordmark", Line(10_000, 180_000, tax_name="Tax", tax_e4=230_000)),
        WrittenLine("Colour and type system", Line(10_000, 125_000, discount_e4=100_000, tax_name="Tax", tax_e4=230_000)),
        WrittenLine("Stationery, per piece", Line(60_000, 9_250, tax_name="Tax", tax_e4=230_000)),
    ),
    all_assets=True,
    asset_ids=(),
    issue_at=None,
    due_at=datetime(2026, 12, 1, 18, tzinfo=UTC),
    notify_email=True,
    notify_webhook=False,
    remind=True,
)


def save(
    invoice: Invoice | None, merchant: Merchant, by: User, content: Content = CONTENT, *, key: str = KEY, version: int = 0, **more: object
) -> Invoice:
    return authoring.save_draft(invoice, merchant=merchant, by=by, version=version, cleaned=content, form_key=key, now=NOW, **more)  # type: ignore[arg-type]


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk).order_by("id").values_list("kind", flat=True))


def test_a_new_draft_keeps_every_word_and_its_computed_money(merchant: Merchant, owner: User) -> None:
    saved = save(None, merchant, owner)
    saved.refresh_from_db()
    assert (saved.status, saved.version, saved.number, saved.created_by) == (Status.DRAFT, 1, "", owner)
    assert (saved.net_minor, saved.discount_minor, saved.tax_minor, saved.total_minor) == (348_000, 12_500, 80_040, 428_040)
    assert saved.tax_lines == [{"name": "Tax", "rate_e4": 230_000, "base_minor": 348_000, "tax_minor": 80_040}]
    assert list(saved.lines.values_list("position", "description", "amount_minor", "taken_off_minor")) == [
        (1, "Logo and wordmark", 180_000, 0),
        (2, "Colour and type system", 112_500, 12_500),
        (3, "Stationery, per piece", 55_500, 0),
    ]
    assert kinds(saved) == ["invoice.created"]
    assert Event.objects.get().facts["invoice"]["total"] == "4280.40"


def test_the_payer_goes_into_the_directory_once_and_is_kept_up_to_date(merchant: Merchant, owner: User) -> None:
    save(None, merchant, owner)
    save(None, merchant, owner, replace(CONTENT, payer_tax_id="PT999", payer_address=""), key=OTHER)
    payer = Payer.objects.get()
    assert (payer.name, payer.email, payer.tax_id, payer.address) == ("Ana Duarte", "ana@duarte.example", "PT999", "Rua do Sol 1\nLisboa")


def test_save_pressed_twice_makes_one_draft_and_one_event(merchant: Merchant, owner: User) -> None:
    first = save(None, merchant, owner)
    again = save(None, merchant, owner)
    assert first.pk == again.pk
    assert Invoice.objects.count() == 1
    assert LineItem.objects.count() == 3
    assert kinds(first) == ["invoice.created"]


def test_saving_again_after_back_changes_the_draft_of_that_form(merchant: Merchant, owner: User) -> None:
    first = save(None, merchant, owner)
    save(None, merchant, owner, replace(CONTENT, title="Phase 3"))
    first.refresh_from_db()
    assert first.title == "Phase 3"
    assert kinds(first) == ["invoice.created", "invoice.edited"]


def test_two_merchants_may_use_the_same_form_key(merchant: Merchant, owner: User) -> None:
    save(None, merchant, owner)
    save(None, make_merchant(slug="other"), owner)
    assert Invoice.objects.count() == 2


def test_two_people_edit_the_same_draft_and_the_second_is_told(merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant)
    save(draft, merchant, owner, replace(CONTENT, title="Hers"), key=KEY, version=1)
    with pytest.raises(lifecycle.MovedOn) as refusal:
        save(draft, merchant, owner, replace(CONTENT, title="His"), key=OTHER, version=1)
    assert str(refusal.value) == "You saved it in another tab at 10:00."
    draft.refresh_from_db()
    assert draft.title == "Hers"


def test_what_the_second_typed_is_saved_apart_once_with_the_files(merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant)
    uploads.accept(SimpleUploadedFile("a.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    uploads.attach(draft, form_key=KEY, removed=())
    uploads.accept(SimpleUploadedFile("b.pdf", PDF), merchant=merchant, form_key=OTHER, by=owner, now=NOW)
    made = [
        authoring.save_apart(draft, merchant=merchant, by=owner, cleaned=replace(CONTENT, title="His"), form_key=OTHER, now=NOW)
        for _twice in range(2)
    ]
    assert made[0].pk == made[1].pk != draft.pk
    assert sorted(made[0].attachments.values_list("name", flat=True)) == ["a.pdf", "b.pdf"]
    assert list(draft.attachments.values_list("name", flat=True)) == ["a.pdf"]
    assert len(set(Attachment.objects.values_list("file", flat=True))) == 2  # the bytes of a.pdf are shared


def test_an_issued_invoice_takes_no_edit(merchant: Merchant, owner: User) -> None:
    issued = publish(make_draft(merchant), now=NOW)
    with pytest.raises(lifecycle.Refused) as refusal:
        save(issued, merchant, owner, replace(CONTENT, title="Other"), version=issued.version)
    assert str(refusal.value) == "INV-000001 has been issued; what it says can no longer be changed. Void it and duplicate it."
    issued.refresh_from_db()
    assert issued.title == "Brand identity, phase 2"


def test_an_edited_scheduled_invoice_stays_scheduled(merchant: Merchant, owner: User) -> None:
    waiting = publish(make_draft(merchant, issue_at=NOW + timedelta(days=2)), now=NOW)
    later = NOW + timedelta(days=3)
    save(waiting, merchant, owner, replace(CONTENT, issue_at=later), version=waiting.version)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.issue_at) == (Status.SCHEDULED, later)


def test_a_scheduled_invoice_that_could_not_be_sent_like_this_is_not_changed(merchant: Merchant, owner: User) -> None:
    waiting = publish(make_draft(merchant, issue_at=NOW + timedelta(days=2)), now=NOW)
    with pytest.raises(lifecycle.Refused) as refusal:
        save(waiting, merchant, owner, replace(CONTENT, title="", issue_at=NOW + timedelta(days=2)), version=waiting.version)
    assert str(refusal.value) == "Give it a title."
    waiting.refresh_from_db()
    assert waiting.title == "Brand identity, phase 2"


def test_a_scheduled_invoice_told_to_go_at_once_is_due_for_sending_now(merchant: Merchant, owner: User) -> None:
    waiting = publish(make_draft(merchant, issue_at=NOW + timedelta(days=2)), now=NOW)
    save(waiting, merchant, owner, CONTENT, version=waiting.version)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.issue_at) == (Status.SCHEDULED, NOW)


def test_files_taken_off_are_gone_when_the_form_is_saved(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    file = uploads.accept(SimpleUploadedFile("a.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    uploads.attach(draft, form_key=KEY, removed=())
    save(draft, merchant, owner, key=OTHER, version=Invoice.objects.get().version, removed_files=(file.public_id,))
    assert Attachment.objects.count() == 0
    assert kinds(draft) == ["invoice.created", "invoice.edited"]


def test_a_draft_is_deleted_with_its_lines_and_files_and_leaves_an_event(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    authoring.delete(draft, by=owner, now=NOW)
    assert (Invoice.objects.count(), LineItem.objects.count()) == (0, 0)
    assert list(Event.objects.order_by("id").values_list("kind", "actor_name")) == [
        ("invoice.created", "Inês Matos"),
        ("invoice.deleted", "Inês Matos"),
    ]


def test_an_issued_invoice_is_not_deleted(merchant: Merchant, owner: User) -> None:
    issued = publish(make_draft(merchant), now=NOW)
    with pytest.raises(lifecycle.Refused) as refusal:
        authoring.delete(issued, by=owner, now=NOW)
    assert str(refusal.value) == "INV-000001 has been issued; it can be voided, not deleted."
    assert Invoice.objects.count() == 1
