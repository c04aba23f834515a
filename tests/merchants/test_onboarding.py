"""A business joins."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from merchants import onboarding
from merchants.models import Event, Membership, Merchant
from tests.factories import NOW, add_member, make_merchant, make_user

pytestmark = pytest.mark.django_db

SANDBOX = ["sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60", "sandbox:harbour/slip44:0"]


def found(name: str = "Harbour & Pine", **fields) -> Merchant:
    user = fields.pop("user", None) or make_user(email=f"u{Membership.objects.count()}@harbourpine.example")
    return onboarding.found(name=name, email="studio@harbourpine.example", user=user, now=NOW, **fields)


def test_whoever_founds_a_business_owns_it_and_it_can_be_paid_at_once():
    merchant = found(time_zone="Europe/Lisbon")
    assert (merchant.slug, merchant.time_zone, merchant.is_test) == ("harbour-pine", "Europe/Lisbon", True)
    assert merchant.accepted_assets == SANDBOX
    assert Membership.objects.get(merchant=merchant).role == "owner"
    event = Event.objects.get(merchant=merchant)
    assert (event.kind, event.actor_name, event.at) == ("merchant.founded", "Inês Matos", NOW)
    assert event.facts == {"name": "Harbour & Pine", "email": "studio@harbourpine.example", "test": True}


def test_where_real_money_is_taken_a_new_business_is_no_test(settings):
    settings.NEW_MERCHANTS_ARE_TEST = False
    merchant = found()
    assert merchant.is_test is False
    assert not [asset for asset in merchant.accepted_assets if asset.startswith("sandbox:")]


def test_test_merchants_need_the_sandbox(settings):
    settings.SANDBOX_OPEN = False
    with pytest.raises(ImproperlyConfigured):
        found()
    assert not Merchant.objects.exists()


def test_two_businesses_of_one_name_have_two_places():
    assert [found().slug for _ in range(3)] == ["harbour-pine", "harbour-pine-2", "harbour-pine-3"]


def test_a_long_name_keeps_within_the_path():
    name = "The Very Long and Winding Name of a Studio by the Sea"
    assert [found(name).slug for _ in range(2)] == ["the-very-long-and-winding-name-of-a-stud", "the-very-long-and-winding-name-of-a-st-2"]


def test_a_name_without_a_latin_letter_has_a_place_too():
    assert found("港と松").slug.startswith("business-")


def test_home_sends_a_stranger_to_sign_in(client):
    assert client.get(reverse("home")).url == reverse("account_login")


def test_home_sends_somebody_without_a_business_to_found_one(client):
    client.force_login(make_user())
    assert client.get(reverse("home")).url == reverse("welcome")


def test_home_sends_an_operator_without_a_business_to_the_operators_pages(client):
    client.force_login(make_user(is_staff=True))
    assert client.get(reverse("home")).url == reverse("admin:index")


def test_home_sends_a_member_to_the_business_joined_first(client):
    user = make_user()
    make_merchant(user)
    other = make_merchant(slug="a-second-one")
    add_member(other, "viewer", user=user)
    client.force_login(user)
    assert client.get(reverse("home")).url == "/m/harbour-pine/"


def test_welcome_asks_a_stranger_to_sign_in(client):
    assert client.get(reverse("welcome")).url.startswith(reverse("account_login"))


def test_two_fields_found_a_business_and_lead_to_its_dashboard(client):
    client.force_login(make_user())
    page = client.get(reverse("welcome")).content.decode()
    assert 'value="ines@harbourpine.example"' in page
    answer = client.post(reverse("welcome"), {"name": "Harbour & Pine", "email": "studio@harbourpine.example"})
    assert answer.url == "/m/harbour-pine/"
    merchant = Merchant.objects.get()
    assert (merchant.name, merchant.email, merchant.time_zone) == ("Harbour & Pine", "studio@harbourpine.example", "UTC")


def test_the_time_zone_of_the_browser_is_taken(client):
    client.force_login(make_user())
    client.post(reverse("welcome"), {"name": "Harbour & Pine", "email": "studio@harbourpine.example", "time_zone": "Asia/Kathmandu"})
    assert Merchant.objects.get().time_zone == "Asia/Kathmandu"


def test_what_was_typed_stays_when_something_is_missing(client):
    client.force_login(make_user())
    page = client.post(reverse("welcome"), {"name": "Harbour & Pine", "email": "no address", "time_zone": "Asia/Kathmandu"}).content.decode()
    assert 'value="Harbour &amp; Pine"' in page
    assert 'value="no address"' in page
    assert '<option value="Asia/Kathmandu" selected' in page
    assert not Merchant.objects.exists()


def test_a_line_break_in_the_name_cannot_reach_a_mail_header(client):
    client.force_login(make_user())
    client.post(reverse("welcome"), {"name": "Harbour\r\nBcc: all@elsewhere.example", "email": "studio@harbourpine.example"})
    assert Merchant.objects.get().name == "Harbour Bcc: all@elsewhere.example"


def test_looking_at_the_page_founds_nothing(client):
    client.force_login(make_user())
    client.get(reverse("welcome"), {"name": "Harbour & Pine", "email": "studio@harbourpine.example"})
    assert not Merchant.objects.exists()
