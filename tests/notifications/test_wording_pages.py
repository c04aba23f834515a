"""The page on which a merchant writes its own words, sees them and tries them."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from merchants.models import Merchant, User
from notifications.mail import wordings
from notifications.mail.wordings import Words
from notifications.models import Delivery, Wording
from tests.factories import NOW

pytestmark = pytest.mark.django_db
AS = Callable[[User], Client]
TYPED = {"subject": "For {title}: {amount}", "message": "Dear {payer},\r\nahoy."}


def url(verb: str = "", *, template: str = "issued", language: str = "en") -> str:
    return reverse(f"settings_wording{verb and '_'}{verb}", args=["harbour-pine", template, language])


def test_words_are_saved_shown_and_reset(merchant: Merchant, manager: User, client_as: AS) -> None:
    client = client_as(manager)
    assert client.post(url(), TYPED).url == url()
    saved = Wording.objects.get()
    assert (saved.subject, saved.message, saved.template, saved.language) == ("For {title}: {amount}", "Dear {payer},\nahoy.", "issued", "en")

    shown = client.get(url()).content.decode()
    assert 'value="For {title}: {amount}"' in shown
    assert "Invoice INV-000042 from Harbour &amp; Pine: 420.00 EUR" in shown  # the usual one
    assert "your words" in client.get(reverse("settings_wordings", args=["harbour-pine"])).content.decode()
    client.post(url("reset"))
    assert not Wording.objects.exists()


def test_an_unknown_brace_is_refused_in_its_place_and_what_was_typed_stays(merchant: Merchant, manager: User, client_as: AS) -> None:
    for verb in ("", "test"):
        answer = client_as(manager).post(url(verb), {"subject": "For {total}", "message": "Ahoy"})
        shown = answer.content.decode()
        assert answer.status_code == 422
        assert "{total} is no placeholder. Use those of the list, and no other braces." in shown
        assert 'value="For {total}"' in shown
    assert not Wording.objects.exists()
    assert not Delivery.objects.exists()


def test_the_preview_says_what_is_typed_or_else_what_is_saved_and_saves_nothing(merchant: Merchant, manager: User, client_as: AS) -> None:
    wordings.save(merchant, Words("Saved", "Saved words"), template="issued", language="en", by=manager, now=NOW)
    client = client_as(manager)
    saved, typed, wrong = client.get(url("preview")), client.post(url("preview"), TYPED), client.post(url("preview"), {"subject": "{x}"})

    assert "<strong>Subject</strong> Saved</p>" in saved.content.decode()
    assert "<strong>Subject</strong> For Brand identity: 420.00 EUR</p>" in typed.content.decode()
    assert "Dear Ana Duarte,<br>ahoy." in typed.content.decode()
    assert (wrong.status_code, "{x} is no placeholder." in wrong.content.decode()) == (422, True)
    assert "default-src 'none'" in typed["Content-Security-Policy"]
    assert typed["X-Frame-Options"] == "SAMEORIGIN"
    assert Wording.objects.get().subject == "Saved"


def test_what_is_typed_cannot_become_markup_in_the_preview(merchant: Merchant, manager: User, client_as: AS) -> None:
    html = client_as(manager).post(url("preview"), {"subject": "<script>1</script>", "message": "<script>2</script>"}).content.decode()

    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 2


def test_a_test_goes_to_who_asks_and_what_was_typed_stays_unsaved(merchant: Merchant, manager: User, client_as: AS) -> None:
    client = client_as(manager)
    assert client.post(url("test"), TYPED).url == url()
    delivery = Delivery.objects.get()

    assert (delivery.recipient, delivery.template, delivery.event.kind) == (manager.email, "issued", "mail.tested")
    assert 'value="For {title}: {amount}"' in client.get(url()).content.decode()
    assert 'value="For {title}: {amount}"' not in client.get(url()).content.decode()  # once
    assert not Wording.objects.exists()


@pytest.mark.parametrize(("template", "language"), [("paid", "en"), ("invitation", "en"), ("issued", "xx"), ("refund_wanted", "en")])
def test_other_kinds_and_languages_have_no_page(merchant: Merchant, manager: User, client_as: AS, template: str, language: str) -> None:
    client = client_as(manager)
    for verb in ("", "preview"):
        assert client.get(url(verb, template=template, language=language)).status_code == 404
    for verb in ("test", "reset"):
        assert client.post(url(verb, template=template, language=language), TYPED).status_code == 404
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("language", ["en", "de", "zh-hans", "ar"])
@pytest.mark.parametrize("template", wordings.KINDS)
def test_every_kind_has_a_preview_in_every_language(merchant: Merchant, manager: User, client_as: AS, template: str, language: str) -> None:
    html = client_as(manager).post(url("preview", template=template, language=language), TYPED).content.decode()

    assert "ahoy." in html
    assert "<a" in html
    assert not re.search('href="(?!#)', html)  # nothing opens
