"""Copies of the payer's mails, and recipients that change after an invoice was issued."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from hashlib import sha256
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from invoicing.models import Invoice, Payer, Rendering
from invoicing.recipients import everybody, split, tidy
from merchants.models import Event, Merchant, User
from notifications import courier, fanout, outbox
from notifications.mail import recipients
from notifications.models import Delivery
from notifications.transports import Outcome
from tests.factories import NOW, add_member, make_draft, publish
from tests.notifications.conftest import Mailserver, take

pytestmark = pytest.mark.django_db

COPIES = {"to": ["rui@duarte.example"], "cc": ["books@duarte.example"], "bcc": ["quiet@duarte.example"]}


def mails(template: str) -> list[tuple[str, str, str]]:
    rows = Delivery.objects.filter(channel="email", template=template).order_by("id")
    return list(rows.values_list("recipient", "copy", "status"))


def copied(merchant: Merchant, **fields: Any) -> Invoice:
    return publish(make_draft(merchant, mail_copies=COPIES, **fields), now=NOW)


def test_addresses_are_read_however_they_are_divided() -> None:
    assert split(" a@b.example,c@d.example; A@b.example\n e@f.example ") == ["a@b.example", "c@d.example", "e@f.example"]
    assert split(" , ") == []


def test_one_address_stands_in_one_part_and_the_payers_own_in_none() -> None:
    typed = {"to": ["ana@x.example"], "cc": ["RUI@x.example", "ana@x.example"], "bcc": ["rui@x.example", "kim@x.example"]}
    assert tidy(typed, main="Ana@x.example") == {"cc": ["RUI@x.example"], "bcc": ["kim@x.example"]}


def test_each_recipient_gets_a_mail_of_its_own_that_shows_the_open_ones(merchant: Merchant, mailserver: Mailserver) -> None:
    Merchant.objects.update(copies_to="archive@harbourpine.example")
    copied(Merchant.objects.get())
    fanout.run(NOW)
    assert mails("issued") == [
        ("ana@duarte.example", "to", "queued"),
        ("rui@duarte.example", "to", "queued"),
        ("books@duarte.example", "cc", "queued"),
        ("quiet@duarte.example", "bcc", "queued"),
        ("archive@harbourpine.example", "bcc", "queued"),
    ]
    while courier.round_of("email", now=NOW):
        pass
    read = [message_from_bytes(raw, policy=policy.default) for raw in mailserver.taken]
    assert len(read) == 5
    assert {message["To"] for message in read} == {"ana@duarte.example, rui@duarte.example"}
    assert {message["Cc"] for message in read} == {"books@duarte.example"}
    assert len({message["Message-ID"] for message in read}) == 5
    assert not any(b"quiet@" in raw or b"archive@" in raw for raw in mailserver.taken)


def test_one_refused_address_does_not_hold_up_the_others(merchant: Merchant, mailserver: Mailserver) -> None:
    copied(merchant)
    fanout.run(NOW)
    mailserver.answers = ["550 No such user"]
    while courier.round_of("email", now=NOW):
        pass
    assert sorted(status for _to, _copy, status in mails("issued")) == ["failed", "sent", "sent", "sent"]


def test_an_address_that_stands_twice_gets_one(merchant: Merchant) -> None:
    Merchant.objects.update(copies_to="Books@duarte.example")
    copied(Merchant.objects.get())
    fanout.run(NOW)
    assert [to for to, _copy, _status in mails("issued")] == [
        "ana@duarte.example",
        "rui@duarte.example",
        "books@duarte.example",
        "quiet@duarte.example",
    ]


def test_a_mail_about_a_refund_goes_to_the_payer_alone(merchant: Merchant) -> None:
    Merchant.objects.update(copies_to="archive@harbourpine.example")
    invoice = copied(Merchant.objects.get())
    for kind in ("refund.requested", "refund.address_given", "refund.changed"):
        Event.objects.create(merchant=merchant, kind=kind, subject_kind="invoice", subject_id=invoice.pk, facts={}, at=NOW)
    fanout.run(NOW)
    to_payer = Delivery.objects.filter(template__in=["refund_wanted", "refund_told", "refund_confirm"]).values_list("recipient", flat=True)
    assert len(to_payer) == 3
    assert set(to_payer) == {"ana@duarte.example"}


def test_a_copy_that_is_sent_again_stays_a_copy(merchant: Merchant, owner: User, mailserver: Mailserver) -> None:
    copied(merchant)
    fanout.run(NOW)
    while courier.round_of("email", now=NOW):
        pass
    mailserver.taken.clear()
    again = outbox.send_again(Delivery.objects.get(recipient="quiet@duarte.example"), by=owner, now=NOW)
    courier.round_of("email", now=NOW)
    assert again.copy == "bcc"
    [raw] = mailserver.taken
    assert message_from_bytes(raw, policy=policy.default)["To"] == "ana@duarte.example"
    assert b"quiet@" not in raw


def test_a_corrected_address_gets_what_it_missed_and_what_waits_for_the_wrong_one_does_not_leave(merchant: Merchant, owner: User) -> None:
    invoice = copied(merchant)
    fanout.run(NOW)
    told = recipients.change(invoice, main="ana.duarte@new.example", copies=COPIES, mail_now=True, by=owner, now=NOW)
    fanout.run(NOW)

    assert told == ["ana.duarte@new.example"]
    wrong = Delivery.objects.get(recipient="ana@duarte.example")
    assert (wrong.status, wrong.reason) == ("cancelled", "Its address was changed before this could be sent.")
    fresh = Delivery.objects.get(recipient="ana.duarte@new.example")
    assert (fresh.template, fresh.copy, fresh.status, fresh.is_forced) == ("issued", "to", "queued", True)
    assert [to for to, _copy, status in mails("issued") if status == "queued"] == [
        "rui@duarte.example",
        "books@duarte.example",
        "quiet@duarte.example",
        "ana.duarte@new.example",
    ]
    kept = Invoice.objects.get(pk=invoice.pk)
    assert (kept.payer_email, kept.mail_to) == ("ana@duarte.example", "ana.duarte@new.example")
    assert not mails("owners_told")  # there is no money on it

    assert recipients.change(kept, main="ana.duarte@new.example", copies=COPIES, mail_now=True, by=owner, now=NOW) is None
    take(kept, kept.total_minor)
    fanout.run(NOW)
    assert [to for to, _copy, _status in mails("receipt")] == [
        "ana.duarte@new.example",
        "rui@duarte.example",
        "books@duarte.example",
        "quiet@duarte.example",
    ]


def test_new_recipients_get_one_though_the_first_mails_were_not_made_yet(merchant: Merchant, owner: User) -> None:
    invoice = copied(merchant)
    recipients.change(invoice, main="ana@new.example", copies=COPIES, mail_now=True, by=owner, now=NOW)
    fanout.run(NOW)
    assert mails("issued") == [
        ("ana@new.example", "to", "queued"),
        ("rui@duarte.example", "to", "queued"),
        ("books@duarte.example", "cc", "queued"),
        ("quiet@duarte.example", "bcc", "queued"),
    ]


def test_an_address_corrected_before_its_mail_was_made_gets_none(issued_mail: Delivery, owner: User) -> None:
    for address, copies in (("wrong@new.example", {"cc": ["books@new.example"]}), ("right@new.example", {"bcc": ["books@new.example"]})):
        recipients.change(Invoice.objects.get(), main=address, copies=copies, mail_now=True, by=owner, now=NOW)
    fanout.run(NOW)
    assert mails("issued") == [
        ("ana@duarte.example", "to", "cancelled"),
        ("books@new.example", "bcc", "queued"),
        ("right@new.example", "to", "queued"),
    ]


def test_what_was_being_tried_as_the_address_was_changed_is_not_tried_again(issued_mail: Delivery, owner: User, mailserver: Mailserver) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    recipients.change(Invoice.objects.get(), main="ana@new.example", copies={}, mail_now=False, by=owner, now=NOW)
    outbox.finish(claimed, lease=claimed.lease, outcome=Outcome(False, code="451", answer="Later"), now=NOW)
    courier.round_of("email", now=NOW + timedelta(minutes=5))

    issued_mail.refresh_from_db()
    assert (issued_mail.status, issued_mail.reason) == ("cancelled", "Its address was changed before this could be sent.")
    assert mailserver.taken == []


def test_what_a_member_sends_again_goes_to_the_old_address_too(issued_mail: Delivery, owner: User, mailserver: Mailserver) -> None:
    courier.round_of("email", now=NOW)
    recipients.change(Invoice.objects.get(), main="ana@new.example", copies={}, mail_now=False, by=owner, now=NOW)
    outbox.send_again(Delivery.objects.get(pk=issued_mail.pk), by=owner, now=NOW)
    courier.round_of("email", now=NOW)
    assert [message_from_bytes(raw, policy=policy.default)["To"] for raw in mailserver.taken] == ["ana@duarte.example", "ana@duarte.example"]


@pytest.mark.parametrize("status", ["queued", "sending", "failed"])
def test_who_was_taken_out_before_it_left_is_not_named_to_the_others(merchant: Merchant, owner: User, status: str) -> None:
    invoice = publish(make_draft(merchant, mail_copies={"cc": ["wrong@other.example"]}), now=NOW)
    fanout.run(NOW)
    Delivery.objects.filter(recipient="wrong@other.example").update(status=status)
    main = Delivery.objects.select_related("invoice").get(recipient="ana@duarte.example")
    assert recipients.visible(main) == (["ana@duarte.example"], ["wrong@other.example"])
    recipients.change(invoice, main="ana@duarte.example", copies={}, mail_now=False, by=owner, now=NOW)
    assert recipients.visible(main) == (["ana@duarte.example"], [])


def test_who_became_a_blind_copy_before_it_left_is_one(merchant: Merchant, owner: User, mailserver: Mailserver) -> None:
    invoice = publish(make_draft(merchant, mail_copies={"cc": ["books@other.example"]}), now=NOW)
    fanout.run(NOW)
    recipients.change(invoice, main="ana@duarte.example", copies={"bcc": ["books@other.example"]}, mail_now=False, by=owner, now=NOW)
    assert mails("issued") == [("ana@duarte.example", "to", "queued"), ("books@other.example", "bcc", "queued")]
    while courier.round_of("email", now=NOW):
        pass
    assert len(mailserver.taken) == 2
    assert not any(b"books@" in raw for raw in mailserver.taken)


def test_what_a_mail_showed_stays_after_it_left(merchant: Merchant, owner: User, mailserver: Mailserver) -> None:
    invoice = copied(merchant)
    fanout.run(NOW)
    while courier.round_of("email", now=NOW):
        pass
    recipients.change(invoice, main="ana@new.example", copies={}, mail_now=False, by=owner, now=NOW)
    left = Delivery.objects.get(recipient="rui@duarte.example")
    assert recipients.visible(left) == (["ana@duarte.example", "rui@duarte.example"], ["books@duarte.example"])


def test_owners_are_told_of_another_address_once_there_is_money_on_the_invoice(merchant: Merchant, owner: User) -> None:
    invoice = copied(merchant)
    take(invoice, 100)
    recipients.change(Invoice.objects.get(), main="someone@else.example", copies={}, mail_now=False, by=owner, now=NOW)
    fanout.run(NOW)
    assert [to for to, _copy, _status in mails("owners_told")] == [owner.email]


def test_a_pdf_is_attached_once_it_is_printed_and_holds_nothing_up_when_it_is_not(merchant: Merchant, mailserver: Mailserver) -> None:
    Merchant.objects.update(attach_pdf=True)
    invoice = publish(make_draft(Merchant.objects.get()), now=NOW)
    fanout.run(NOW)
    mail = Delivery.objects.get(template="issued")
    assert (mail.next_at - mail.created_at).total_seconds() == 5

    courier.round_of("email", now=mail.next_at)
    [raw] = mailserver.taken
    assert b"application/pdf" not in raw

    printed = {"sha256": sha256(b"%PDF-1.7 it").hexdigest(), "made_at": NOW, "file": ContentFile(b"%PDF-1.7 it", "x.pdf")}
    Rendering.objects.update_or_create(invoice=invoice, kind="invoice", defaults=printed)
    fresh = outbox.send_again(Delivery.objects.get(template="issued"), by=merchant.members.get(), now=mail.next_at)
    courier.round_of("email", now=fresh.next_at)
    [part] = [part for part in message_from_bytes(mailserver.taken[1], policy=policy.default).walk() if part.get_filename()]
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == ("INV-000001.pdf", "application/pdf", b"%PDF-1.7 it")


def test_a_damaged_pdf_is_left_out(merchant: Merchant, mailserver: Mailserver) -> None:
    Merchant.objects.update(attach_pdf=True)
    invoice = publish(make_draft(Merchant.objects.get()), now=NOW)
    damaged = {"sha256": "0" * 64, "made_at": NOW, "file": ContentFile(b"%PDF-1.7 it", "x.pdf")}
    Rendering.objects.update_or_create(invoice=invoice, kind="invoice", defaults=damaged)
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    [raw] = mailserver.taken
    assert b"application/pdf" not in raw


def test_a_storage_that_answers_with_anything_holds_no_mail(merchant: Merchant, mailserver: Mailserver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_rendering: Rendering) -> bytes:
        raise RuntimeError("The bucket is gone.")

    Merchant.objects.update(attach_pdf=True)
    invoice = publish(make_draft(Merchant.objects.get()), now=NOW)
    kept = {"made_at": NOW, "file": ContentFile(b"%PDF-1.7 it", "x.pdf")}
    Rendering.objects.update_or_create(invoice=invoice, kind="invoice", defaults=kept)
    monkeypatch.setattr("invoicing.pdf.content", broken)
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    [raw] = mailserver.taken
    assert b"application/pdf" not in raw


# --- pages ------------------------------------------------------------------------------------------------------
def test_the_page_changes_recipients_and_says_who_is_mailed(merchant: Merchant, owner: User, client_as: Callable[[User], Client]) -> None:
    payer = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")
    invoice = publish(make_draft(merchant, payer=payer), now=NOW)
    fanout.run(NOW)
    url = f"/m/harbour-pine/invoices/{invoice.pk}/recipients/"
    client = client_as(owner)
    assert 'value="ana@duarte.example"' in client.get(url).content.decode()

    wrong = client.post(url, {"main": "ana@", "mail_cc": "books@duarte.example, nobody"})
    assert wrong.status_code == 422
    assert "nobody is not an email address" in wrong.content.decode()

    typed = {"main": "ana@new.example", "mail_cc": "books@duarte.example", "mail_now": "on", "keep": "on"}
    saved = client.post(url, typed, follow=True)
    assert "It goes to 2 addresses at once." in saved.content.decode()
    payer.refresh_from_db()
    assert (payer.email, payer.mail_copies) == ("ana@new.example", {"cc": ["books@duarte.example"]})
    [event] = Event.objects.filter(kind="invoice.recipients_changed")
    assert (event.facts["was"], event.facts["main"]) == ("ana@duarte.example", "ana@new.example")
    assert event.facts["tell"] == [["ana@new.example", "to"], ["books@duarte.example", "cc"]]
    assert "changed where its mails go: to ana@new.example" in saved.content.decode()


def test_a_draft_is_edited_instead(merchant: Merchant, owner: User, client_as: Callable[[User], Client]) -> None:
    draft = make_draft(merchant)
    answer = client_as(owner).get(f"/m/harbour-pine/invoices/{draft.pk}/recipients/")
    assert answer.status_code == 302


def test_a_viewer_changes_no_recipients(invoice: Invoice, merchant: Merchant, client_as: Callable[[User], Client]) -> None:
    viewer = add_member(merchant, "viewer")
    answer = client_as(viewer).post(f"/m/harbour-pine/invoices/{invoice.pk}/recipients/", {"main": "v@v.example"})
    assert answer.status_code == 403
    assert everybody(Invoice.objects.get()) == [("ana@duarte.example", "to")]


def test_the_settings_keep_the_blind_copy_and_the_pdf(merchant: Merchant, owner: User, client_as: Callable[[User], Client]) -> None:
    client = client_as(owner)
    assert client.post("/m/harbour-pine/settings/mail/", {"attach_pdf": "on", "copies_to": "archive@"}).status_code == 422
    client.post("/m/harbour-pine/settings/mail/", {"attach_pdf": "on", "copies_to": "archive@harbourpine.example"})
    merchant.refresh_from_db()
    assert (merchant.attach_pdf, merchant.copies_to) == (True, "archive@harbourpine.example")


def test_the_form_keeps_copies_with_the_invoice_and_the_payer_and_refuses_what_is_none(
    merchant: Merchant, owner: User, client_as: Callable[[User], Client]
) -> None:
    client = client_as(owner)
    page = {
        "kind": "one_time",
        "form_key": "f" * 43,
        "version": "0",
        "act": "save",
        "payer_name": "Ana Duarte",
        "payer_email": "ana@duarte.example",
        "merchant_name": "Harbour & Pine",
        "merchant_email": "studio@harbourpine.example",
        "title": "Signs",
        "currency": "EUR",
        "all_assets": "on",
        "lines-0-description": "Sign",
        "lines-0-quantity": "1",
        "lines-0-unit_price": "10.00",
    }
    wrong = client.post("/m/harbour-pine/invoices/new/", page | {"mail_to": "rui@", "mail_cc": "a@b.example"})
    assert "rui@ is not an email address. Write several with commas between them." in wrong.content.decode()
    many = ", ".join(f"a{n}@b.example" for n in range(11))
    assert "Copies go to 10 addresses at most." in client.post("/m/harbour-pine/invoices/new/", page | {"mail_bcc": many}).content.decode()

    client.post("/m/harbour-pine/invoices/new/", page | {"mail_to": "rui@duarte.example, ana@duarte.example", "mail_cc": "books@duarte.example"})
    saved = Invoice.objects.get()
    assert saved.mail_copies == {"to": ["rui@duarte.example"], "cc": ["books@duarte.example"]}
    assert Payer.objects.get().mail_copies == saved.mail_copies
    again = client.get(f"/m/harbour-pine/invoices/{saved.pk}/edit/").content.decode()
    assert 'value="rui@duarte.example"' in again
