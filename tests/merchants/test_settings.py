"""The settings page: profile, defaults, tokens and looks."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from merchants import profile
from merchants.models import Event
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.merchants.test_logos import SVG, bomb, picture

pytestmark = pytest.mark.django_db

HERE = "/m/harbour-pine/settings/"
USDT, ETH, BTC = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60", "sandbox:harbour/slip44:0"
AS_IT_IS = {
    "name": "Harbour & Pine",
    "email": "studio@harbourpine.example",
    "address": "",
    "tax_id": "",
    "currency": "EUR",
    "language": "en",
    "due_after_days": "14",
    "time_zone": "Europe/Lisbon",
    "paper": "A4",
    "tolerance": "0",
    "accepted_assets": [USDT, ETH, BTC],
    "brand_color": "#1F4FD1",
    "footer": "",
}


def upload(content: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/png")


@pytest.fixture
def owners(client_as, owner, merchant):
    return client_as(owner)


def test_what_is_saved_is_what_was_written(owners, merchant):
    written = {
        "name": "Harbour & Pine, Lda.",
        "email": "accounts@harbourpine.example",
        "address": "Rua do Alecrim 12\r\n1200-017 Lisboa",
        "tax_id": "PT 501 234 567",
        "currency": "JPY",
        "language": "en",
        "due_after_days": "30",
        "time_zone": "Atlantic/Madeira",
        "paper": "Letter",
        "tolerance": "0.5",
        "accepted_assets": [BTC, USDT],
        "brand_color": "#0b5563",
        "footer": "Thank you for working with us.",
    }
    assert owners.post(HERE, written).url == HERE
    merchant.refresh_from_db()
    assert {name: getattr(merchant, name) for name in (*written, "tolerance_e4") if name != "tolerance"} == {
        "name": "Harbour & Pine, Lda.",
        "email": "accounts@harbourpine.example",
        "address": "Rua do Alecrim 12\r\n1200-017 Lisboa",
        "tax_id": "PT 501 234 567",
        "currency": "JPY",
        "language": "en",
        "due_after_days": 30,
        "time_zone": "Atlantic/Madeira",
        "paper": "Letter",
        "tolerance_e4": 5000,
        "accepted_assets": [USDT, BTC],
        "brand_color": "#0B5563",
        "footer": "Thank you for working with us.",
    }


def test_a_change_is_on_the_record_with_the_names_of_what_changed(owners, merchant, owner):
    owners.post(HERE, AS_IT_IS | {"due_after_days": "30", "tax_id": "PT 501 234 567"})
    event = Event.objects.get(kind="merchant.changed")
    assert (event.merchant, event.actor, event.facts) == (merchant, owner, {"fields": ["due_after_days", "tax_id"]})


def test_saving_without_a_change_records_nothing(owners):
    answer = owners.post(HERE, AS_IT_IS, follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert not Event.objects.filter(kind="merchant.changed").exists()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "  ", "Enter the name that stands on your invoices."),
        ("email", "studio", "This is not an email address. Write it like name@example.com."),
        ("currency", "XXX", "Select a valid choice"),
        ("due_after_days", "0", "greater than or equal to 1"),
        ("time_zone", "Europe/Atlantis", "Select a valid choice"),
        ("paper", "A5", "Select a valid choice"),
        ("tolerance", "5.1", "less than or equal to 5"),
        ("tolerance", "-1", "greater than or equal to 0"),
        ("accepted_assets", [], "Leave at least one token on, or nobody can pay."),
        ("accepted_assets", ["eip155:1/slip44:60"], "Select a valid choice"),
        ("brand_color", "red", "Write the colour as # and six digits"),
        ("brand_color", '#0B5563"><script>', "Ensure this value has at most 7 characters"),
        ("brand_color", "#F8F8F8", "can hardly be seen on white paper"),
        ("footer", "x" * 301, "at most 300 characters"),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_else_is_lost(owners, merchant, field, value, sentence):
    answer = owners.post(HERE, AS_IT_IS | {"address": "Rua do Alecrim 12", field: value})
    assert answer.status_code == 422
    assert any(sentence in str(error) for error in answer.context["form"].errors[field])
    assert list(answer.context["form"].errors) == [field]
    assert "Rua do Alecrim 12" in answer.content.decode()
    assert not Event.objects.filter(kind="merchant.changed").exists()


def test_a_logo_is_drawn_anew_and_shown_to_members_only(owners, merchant, client):
    owners.post(HERE, AS_IT_IS | {"logo": upload(picture("JPEG"))})
    served = owners.get("/m/harbour-pine/settings/logo.png")
    assert (served.status_code, served["Content-Type"], served["X-Content-Type-Options"]) == (200, "image/png", "nosniff")
    assert Image.open(BytesIO(served.content)).size == (512, 256)
    assert client.get("/m/harbour-pine/settings/logo.png").status_code == 302


def test_a_logo_can_be_removed(owners, merchant):
    owners.post(HERE, AS_IT_IS | {"logo": upload(picture())})
    owners.post(HERE, AS_IT_IS | {"logo_remove": "on"})
    merchant.refresh_from_db()
    assert merchant.logo is None
    assert owners.get("/m/harbour-pine/settings/logo.png").status_code == 404


def test_saving_something_else_keeps_the_logo(owners, merchant):
    owners.post(HERE, AS_IT_IS | {"logo": upload(picture())})
    owners.post(HERE, AS_IT_IS | {"tax_id": "PT 501 234 567"})
    merchant.refresh_from_db()
    assert bytes(merchant.logo.png)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (SVG, "not a PNG, JPEG or WebP"),
        (picture()[:200], "not a PNG, JPEG or WebP"),
        (bomb(50_000), "16 million pixels"),
        (b"\0" * 2_100_000, "larger than 2 MB"),
    ],
    ids=["svg named png", "cut short", "bomb", "too large"],
)
def test_a_hostile_logo_is_refused_beside_its_field(owners, merchant, content, sentence):
    answer = owners.post(HERE, AS_IT_IS | {"logo": upload(content)})
    assert sentence in str(answer.context["form"].errors["logo"])
    merchant.refresh_from_db()
    assert merchant.logo is None


def test_an_accepted_logo_survives_a_mistake_in_another_field(owners, merchant):
    answer = owners.post(HERE, AS_IT_IS | {"name": "", "logo": upload(picture())})
    kept = answer.context["form"].logo_shown
    assert f'name="logo_kept" value="{kept}"' in answer.content.decode()
    owners.post(HERE, AS_IT_IS | {"logo_kept": kept})
    merchant.refresh_from_db()
    assert Image.open(BytesIO(bytes(merchant.logo.png))).size == (512, 256)


def test_a_forged_kept_logo_goes_the_same_way_as_an_upload(owners, merchant):
    for forged in ("PHN2Zz4=", "%%%"):
        answer = owners.post(HERE, AS_IT_IS | {"logo_kept": forged})
        assert list(answer.context["form"].errors) == ["logo"]


def test_the_page_says_how_text_reads_on_the_colour(owners, merchant):
    merchant.brand_color = "#0B5563"
    merchant.save()
    assert "White text on it reads well, 8.4 : 1" in owners.get(HERE).content.decode()
    merchant.brand_color = "#F5C518"
    merchant.save()
    assert "hard to read on it, 1.6 : 1. Buttons get dark text." in owners.get(HERE).content.decode()


def test_what_was_issued_before_stays_as_it_was(owners, merchant):
    invoice = publish(make_draft(merchant), now=NOW)
    before = (invoice.terms, invoice.merchant_name, invoice.currency)
    owners.post(HERE, AS_IT_IS | {"name": "Other name", "currency": "USD", "brand_color": "#7B2D8E"})
    invoice.refresh_from_db()
    assert (invoice.terms, invoice.merchant_name, invoice.currency) == before


def test_another_merchants_settings_are_not_there(owners):
    other = make_merchant(slug="secret-orchard", name="Secret Orchard", tax_id="DE 811 907 980")
    for answer in (owners.get("/m/secret-orchard/settings/"), owners.post("/m/secret-orchard/settings/", AS_IT_IS)):
        assert answer.status_code == 404
        assert "Secret Orchard" not in answer.content.decode()
    other.refresh_from_db()
    assert other.name == "Secret Orchard"


def test_a_viewer_may_not_and_a_manager_may(client_as, merchant, viewer, manager):
    assert client_as(viewer).get(HERE).status_code == 403
    assert client_as(viewer).post(HERE, AS_IT_IS | {"name": "Taken over"}).status_code == 403
    assert client_as(manager).post(HERE, AS_IT_IS | {"name": "Harbour, Pine & Co"}).status_code == 302
    merchant.refresh_from_db()
    assert merchant.name == "Harbour, Pine & Co"


def test_looking_changes_nothing(owners, merchant):
    owners.get(reverse("settings", args=[merchant.slug]), AS_IT_IS | {"name": "Changed by a link"})
    merchant.refresh_from_db()
    assert merchant.name == "Harbour & Pine"


def test_what_may_not_be_changed_is_no_field_of_the_door(merchant, owner):
    for name in ("is_test", "slug", "next_number", "late_policy"):
        with pytest.raises(KeyError):
            profile.change(merchant, values={name: "x"}, by=owner, now=NOW)
