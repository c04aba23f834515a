"""An address that a form takes can be written into a header, and no other is."""

from collections.abc import Iterator

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.urls import get_resolver

from invoicing.forms.copies import Addresses
from merchants.accounts import AccountAdapter
from merchants.forms.fields import MailField, check_address
from merchants.models import Merchant
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from notifications.transports.message import build, sender
from tests.factories import NOW, make_draft, publish

GOOD = ["bills@harbourpine.example", "bills@exämple.com", "a@localhost", "bills@[127.0.0.1]", '"a,b@evil.example"@x.example', '"a\\"b"@x.example']
EVIL = ['"a\x0bX-Evil:yes"@x.example', '"a\x0c\x0cbody"@x.example', '"a\x1dX-Evil:yes"@x.example', '"a\x01b"@x.example', '"a\x7fb"@x.example']
NONE = [*EVIL, '"a\\ b"@x.example', f"a@{'ä' * 60}.example", "ana", "ana@", "a@x.example\nBcc: b@x.example"]


@pytest.mark.parametrize("address", GOOD)
def test_what_the_check_takes_can_be_written(address: str) -> None:
    check_address(address)
    written = EmailMessage("s", "b", sender("Harbour", address), [address], headers={"To": address}).message().as_bytes()
    assert b"From: Harbour <" in written


@pytest.mark.parametrize("address", NONE)
def test_what_would_break_a_header_is_no_address(address: str) -> None:
    for check in (check_address, AccountAdapter().clean_email, MailField(required=False).clean, Addresses("Also to").clean):
        with pytest.raises(ValidationError):
            check(address)


def our_forms(of: type[forms.BaseForm] = forms.BaseForm) -> Iterator[type[forms.BaseForm]]:
    for form in of.__subclasses__():
        is_allauths = any(base.__module__.startswith("allauth.") for base in form.__mro__)  # those ask the adapter
        if form.__module__.startswith(("merchants.", "invoicing.", "payments.", "notifications.")) and not is_allauths:
            yield form
        yield from our_forms(form)


def test_every_form_asks_for_addresses_with_that_check() -> None:
    assert get_resolver().url_patterns  # with them every form is loaded
    found = {
        (form.__name__, name): isinstance(field, MailField)
        for form in our_forms()
        for name, field in getattr(form, "base_fields", {}).items()
        if isinstance(field, forms.EmailField)
    }
    assert {"RecipientsForm", "ServerForm", "PayerMailForm", "PayerForm", "InviteForm", "BusinessForm", "WelcomeForm", "LostForm", "HeadForm"} <= {
        form for form, _name in found
    }
    assert [where for where, is_ours in found.items() if not is_ours] == []


@pytest.mark.django_db
@pytest.mark.parametrize("address", EVIL)
def test_a_stored_address_that_would_break_a_header_is_shown_without_what_breaks_it(address: str, merchant: Merchant) -> None:
    publish(make_draft(merchant, payer_email=address, merchant_email=address, mail_copies={"cc": [address.replace("a", "c")]}), now=NOW)
    fanout.run(NOW)
    mail = Delivery.objects.get(template="issued", copy="to")
    message = build(mail, emails.write(mail, now=NOW), now=NOW)
    message.from_email = sender("Harbour", address)
    head, _blank, _body = message.message().as_bytes().partition(b"\n\n")

    names = {line.partition(b":")[0].decode() for line in head.splitlines() if line[:1] not in b" \t"}
    assert {"Message-ID", "From", "To", "Cc", "Reply-To"} <= names
    assert not names & {"X-Evil", "Bcc", "body"}
    assert not any(byte < 0x20 and byte not in b"\n\t" for byte in head)
