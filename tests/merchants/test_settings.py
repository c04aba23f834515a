"""The pages of the settings: business, branding, invoices, payments. The team has its own tests."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from merchants import profile
from merchants.models import Event
from tests.factories import NOW, PASSWORD, add_member, make_draft, make_merchant, publish
from tests.merchants.test_logos import SVG, bomb, picture

pytestmark = pytest.mark.django_db

HERE = "/m/harbour-pine/settings/"
LOOK, INVOICES, TOKENS, LATE = f"{HERE}look/", f"{HERE}invoices/", f"{HERE}tokens/", f"{HERE}invoices/late/"
PRICES = f"{HERE}tokens/prices/"
REFUNDS, LIMIT = f"{HERE}refunds/", f"{HERE}refunds/limit/"
USDT, ETH, BTC = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60", "sandbox:harbour/slip44:0"
# What each page posts when nothing was touched.
AS_IT_IS = {
    HERE: {"name": "Harbour & Pine", "email": "studio@harbourpine.example", "address": "", "tax_id": "", "time_zone": "Europe/Lisbon"},
    LOOK: {"brand_color": "#1F4FD1", "footer": ""},
    INVOICES: {"currency": "EUR", "due_after_days": "14", "paper": "A4", "tolerance": "0"},
    TOKENS: {"accepted_assets": [USDT, ETH, BTC]},
}


def upload(content: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/png")


@pytest.fixture
def owners(client_as, owner, merchant):
    return client_as(owner)


WRITTEN = {
    HERE: {
        "name": "Harbour & Pine, Lda.",
        "email": "accounts@harbourpine.example",
        "address": "Rua do Alecrim 12\r\n1200-017 Lisboa",
        "tax_id": "PT 501 234 567",
        "time_zone": "Atlantic/Madeira",
    },
    LOOK: {"brand_color": "#0b5563", "footer": "Thank you for working with us."},
    INVOICES: {"currency": "JPY", "due_after_days": "30", "paper": "Letter", "tolerance": "0.5"},
    TOKENS: {"accepted_assets": [BTC, USDT]},
}
KEPT = {
    HERE: WRITTEN[HERE],
    LOOK: {"brand_color": "#0B5563", "footer": "Thank you for working with us."},
    INVOICES: {"currency": "JPY", "due_after_days": 30, "paper": "Letter", "tolerance_e4": 5000},
    TOKENS: {"accepted_assets": [USDT, BTC]},
}


@pytest.mark.parametrize("tab", AS_IT_IS)
def test_what_is_saved_is_what_was_written_and_nothing_beside_it(owners, merchant, tab):
    before = vars(type(merchant).objects.get())
    assert owners.post(tab, WRITTEN[tab]).url == tab
    after = vars(type(merchant).objects.get())
    assert {name: value for name, value in after.items() if before[name] != value and name != "_state"} == KEPT[tab]
    event = Event.objects.get(kind="merchant.changed")
    assert (event.merchant, event.facts) == (merchant, {"fields": sorted(KEPT[tab])})


def test_a_change_is_on_the_record_with_the_names_of_what_changed(owners, merchant, owner):
    owners.post(HERE, AS_IT_IS[HERE] | {"tax_id": "PT 501 234 567"})
    event = Event.objects.get(kind="merchant.changed")
    assert (event.merchant, event.actor, event.facts) == (merchant, owner, {"fields": ["tax_id"]})


@pytest.mark.parametrize("tab", AS_IT_IS)
def test_saving_without_a_change_records_nothing(owners, tab):
    answer = owners.post(tab, AS_IT_IS[tab], follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert not Event.objects.filter(kind="merchant.changed").exists()


@pytest.mark.parametrize(
    ("tab", "field", "value", "sentence"),
    [
        (HERE, "name", "  ", "Enter the name that stands on your invoices."),
        (HERE, "email", "studio", "This is not an email address. Write it like name@example.com."),
        (HERE, "time_zone", "Europe/Atlantis", "Choose one from the list."),
        (INVOICES, "currency", "XXX", "Choose one from the list."),
        (INVOICES, "due_after_days", "0", "Write a whole number of days, from 1 to 365."),
        (INVOICES, "due_after_days", "soon", "Write a whole number of days, from 1 to 365."),
        (INVOICES, "paper", "A5", "Choose one from the list."),
        (INVOICES, "tolerance", "5.1", "Write a number from 0 to 5."),
        (INVOICES, "tolerance", "-1", "Write a number from 0 to 5."),
        (TOKENS, "accepted_assets", [], "Leave at least one token on, or nobody can pay."),
        (TOKENS, "accepted_assets", ["eip155:1/slip44:60"], "One of these tokens cannot be received here."),
        (LOOK, "brand_color", "red", "Write the colour as # and six digits"),
        (LOOK, "brand_color", '#0B5563"><script>', "Write the colour as # and six digits"),
        (LOOK, "brand_color", "#F8F8F8", "can hardly be seen on white paper"),
        (LOOK, "footer", "x" * 301, "Shorten this to 300 characters; it has 301."),
    ],
)
def test_a_mistake_is_said_beside_its_field(owners, tab, field, value, sentence):
    answer = owners.post(tab, AS_IT_IS[tab] | {field: value})
    assert answer.status_code == 422
    assert any(sentence in str(error) for error in answer.context["form"].errors[field])
    assert list(answer.context["form"].errors) == [field]
    assert not Event.objects.filter(kind="merchant.changed").exists()


def test_what_was_typed_beside_a_mistake_is_not_lost(owners):
    answer = owners.post(HERE, AS_IT_IS[HERE] | {"address": "Rua do Alecrim 12", "name": ""})
    assert "Rua do Alecrim 12" in answer.content.decode()
    assert 'value="30"' in owners.post(INVOICES, AS_IT_IS[INVOICES] | {"due_after_days": "30", "tolerance": "x"}).content.decode()
    assert "Files stay for two years." in owners.post(LOOK, {"brand_color": "red", "footer": "Files stay for two years."}).content.decode()


def test_each_language_is_offered_by_its_own_name_and_kept(owners, merchant):
    page = owners.get(HERE).content.decode()
    assert [name for name in ("English", "Deutsch", "简体中文", "العربية") if name not in page] == []
    owners.post(HERE, AS_IT_IS[HERE] | {"language": "zh-hans"})
    merchant.refresh_from_db()
    assert merchant.language == "zh-hans"
    assert "Time and language" in owners.get(HERE).content.decode()  # the dashboard itself stays English


def test_a_logo_is_drawn_anew_and_shown_to_members_only(owners, merchant, client):
    owners.post(LOOK, AS_IT_IS[LOOK] | {"logo": upload(picture("JPEG"))})
    served = owners.get("/m/harbour-pine/settings/logo.png")
    assert (served.status_code, served["Content-Type"], served["X-Content-Type-Options"]) == (200, "image/png", "nosniff")
    assert Image.open(BytesIO(served.content)).size == (512, 256)
    assert client.get("/m/harbour-pine/settings/logo.png").status_code == 302


def test_a_logo_can_be_removed(owners, merchant):
    owners.post(LOOK, AS_IT_IS[LOOK] | {"logo": upload(picture())})
    owners.post(LOOK, AS_IT_IS[LOOK] | {"logo_remove": "on"})
    merchant.refresh_from_db()
    assert merchant.logo is None
    assert owners.get("/m/harbour-pine/settings/logo.png").status_code == 404


def test_saving_something_else_keeps_the_logo(owners, merchant):
    owners.post(LOOK, AS_IT_IS[LOOK] | {"logo": upload(picture())})
    owners.post(LOOK, AS_IT_IS[LOOK] | {"footer": "Thank you."})
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
    answer = owners.post(LOOK, AS_IT_IS[LOOK] | {"logo": upload(content)})
    assert sentence in str(answer.context["form"].errors["logo"])
    merchant.refresh_from_db()
    assert merchant.logo is None


def test_an_accepted_logo_survives_a_mistake_in_another_field(owners, merchant):
    answer = owners.post(LOOK, AS_IT_IS[LOOK] | {"brand_color": "red", "logo": upload(picture())})
    kept = answer.context["form"].logo_shown
    assert f'name="logo_kept" value="{kept}"' in answer.content.decode()
    owners.post(LOOK, AS_IT_IS[LOOK] | {"logo_kept": kept})
    merchant.refresh_from_db()
    assert Image.open(BytesIO(bytes(merchant.logo.png))).size == (512, 256)


def test_a_forged_kept_logo_goes_the_same_way_as_an_upload(owners, merchant):
    for forged in ("PHN2Zz4=", "%%%"):
        answer = owners.post(LOOK, AS_IT_IS[LOOK] | {"logo_kept": forged})
        assert list(answer.context["form"].errors) == ["logo"]


def test_the_page_says_how_text_reads_on_the_colour(owners, merchant):
    merchant.brand_color = "#0B5563"
    merchant.save()
    assert "White text on it reads well, 8.4 : 1" in owners.get(LOOK).content.decode()
    merchant.brand_color = "#F5C518"
    merchant.save()
    assert "hard to read on it, 1.6 : 1. Buttons get dark text." in owners.get(LOOK).content.decode()


def test_what_was_issued_before_stays_as_it_was(owners, merchant):
    invoice = publish(make_draft(merchant), now=NOW)
    before = (invoice.terms, invoice.merchant_name, invoice.currency)
    for tab in AS_IT_IS:
        assert owners.post(tab, WRITTEN[tab]).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.terms, invoice.merchant_name, invoice.currency) == before


@pytest.mark.parametrize("tab", AS_IT_IS)
def test_another_merchants_settings_are_not_there(owners, tab):
    other = make_merchant(slug="secret-orchard", name="Secret Orchard", tax_id="DE 811 907 980")
    before = vars(type(other).objects.get(pk=other.pk))
    there = tab.replace("harbour-pine", "secret-orchard")
    for answer in (owners.get(there), owners.post(there, WRITTEN[tab])):
        assert answer.status_code == 404
        assert "Secret Orchard" not in answer.content.decode()
    after = vars(type(other).objects.get(pk=other.pk))
    assert {name for name in before if before[name] != after[name]} == {"_state"}


@pytest.mark.parametrize("tab", AS_IT_IS)
def test_a_viewer_may_not_and_a_manager_may(client_as, viewer, manager, tab):
    assert client_as(viewer).get(tab).status_code == 403
    assert client_as(viewer).post(tab, WRITTEN[tab]).status_code == 403
    assert client_as(manager).get(tab).status_code == 200
    assert client_as(manager).post(tab, WRITTEN[tab]).status_code == 302


def test_a_member_sees_the_tabs_that_are_theirs(client_as, viewer, manager):
    def tabs(client, page):
        return [name for name, _word in client.get(page).context["tabs"]]

    first = ["settings", "settings_look", "settings_invoices", "settings_reminders", "settings_tokens", "settings_refunds"]
    everything = [*first, "settings_mail", "settings_team"]
    assert tabs(client_as(manager), HERE) == everything
    assert tabs(client_as(viewer), f"{HERE}team/") == ["settings_team"]
    assert f'href="{HERE}team/"' in client_as(viewer).get("/m/harbour-pine/").content.decode()
    assert f'href="{HERE}"' in client_as(manager).get("/m/harbour-pine/").content.decode()


def test_looking_changes_nothing(owners, merchant):
    owners.get(reverse("settings", args=[merchant.slug]), AS_IT_IS[HERE] | {"name": "Changed by a link"})
    merchant.refresh_from_db()
    assert merchant.name == "Harbour & Pine"


def test_what_may_not_be_changed_is_no_field_of_the_door(merchant, owner):
    for name in ("is_test", "slug", "next_number", "late_policy", "stable_at_par", "spread_e4", "refund_limit_minor", "refund_limit_currency"):
        with pytest.raises(KeyError):
            profile.change(merchant, values={name: "x"}, by=owner, now=NOW)


# --- the late policy: an owner's ----------------------------------------------------------------------------------
def signed_in_again(client):
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


def test_an_owner_changes_the_late_policy_after_a_fresh_sign_in_and_what_was_chosen_waits(owners, merchant):
    held_up = owners.post(LATE, {"late_policy": "hold"})
    assert held_up.url == "/accounts/reauthenticate/?next=%2Fm%2Fharbour-pine%2Fsettings%2Finvoices%2F"
    merchant.refresh_from_db()
    assert merchant.late_policy == "rate"
    assert signed_in_again(owners).get(INVOICES).context["late"]["late_policy"].value() == "hold"
    assert owners.get(INVOICES).context["late"]["late_policy"].value() == "rate"  # it waited once
    assert owners.post(LATE, {"late_policy": "hold"}).url == INVOICES
    merchant.refresh_from_db()
    assert merchant.late_policy == "hold"


def test_a_changed_late_policy_names_every_owner_who_is_to_be_told(owners, merchant, owner):
    add_member(merchant, "owner", email="rui@harbourpine.example")
    add_member(merchant, "manager")
    signed_in_again(owners).post(LATE, {"late_policy": "hold"})
    event = Event.objects.get(kind="merchant.changed")
    assert (event.actor, event.facts) == (
        owner,
        {
            "fields": ["late_policy"],
            "was": "rate",
            "late_policy": "hold",
            "business": "Harbour & Pine",
            "who": "Inês Matos",
            "owners": ["ines@harbourpine.example", "rui@harbourpine.example"],
        },
    )
    owners.post(LATE, {"late_policy": "hold"})
    assert Event.objects.filter(kind="merchant.changed").count() == 1  # nothing was changed the second time


def test_a_late_policy_that_does_not_exist_is_said_beside_its_field(owners, merchant):
    answer = signed_in_again(owners).post(LATE, {"late_policy": "keep it"})
    assert (answer.status_code, list(answer.context["late"].errors)) == (422, ["late_policy"])
    merchant.refresh_from_db()
    assert merchant.late_policy == "rate"


def test_a_manager_reads_the_late_policy_and_may_not_change_it(client_as, merchant, manager):
    page = client_as(manager).get(INVOICES).content.decode()
    assert "A payment that comes after its rate lock counts at its locked rate if that moved less than 2\N{NO-BREAK SPACE}%" in page
    assert "An owner can change it." in page
    assert LATE not in page
    assert client_as(manager).post(LATE, {"late_policy": "hold"}).status_code == 403


# --- prices: an owner's too ---------------------------------------------------------------------------------------
def priced(merchant):
    merchant.refresh_from_db()
    return merchant.stable_at_par, merchant.spread_e4


def test_an_owner_changes_the_prices_after_a_fresh_sign_in_and_what_was_chosen_waits(owners, merchant):
    held_up = owners.post(PRICES, {"stable": "par", "spread": "1.25"})
    assert held_up.url == "/accounts/reauthenticate/?next=%2Fm%2Fharbour-pine%2Fsettings%2Ftokens%2F"
    assert priced(merchant) == (False, 0)
    waiting = signed_in_again(owners).get(TOKENS).context["prices"]
    assert (waiting["stable"].value(), waiting["spread"].value()) == ("par", "1.25")
    again = owners.get(TOKENS).context["prices"]  # it waited once
    assert (again["stable"].value(), again["spread"].value()) == ("market", "0")
    assert owners.post(PRICES, {"stable": "par", "spread": "1.25"}).url == TOKENS
    assert priced(merchant) == (True, 12_500)
    shown = owners.get(TOKENS).context["prices"]
    assert (shown["stable"].value(), shown["spread"].value()) == ("par", "1.25")


def test_changed_prices_name_every_owner_who_is_to_be_told(owners, merchant, owner):
    add_member(merchant, "owner", email="rui@harbourpine.example")
    add_member(merchant, "manager")
    signed_in_again(owners).post(PRICES, {"stable": "market", "spread": "0.5"})
    event = Event.objects.get(kind="merchant.changed")
    assert (event.actor, event.facts) == (
        owner,
        {
            "fields": ["spread_e4"],
            "was": {"stable_at_par": False, "spread_e4": 0},
            "stable_at_par": False,
            "spread_e4": 5000,
            "business": "Harbour & Pine",
            "who": "Inês Matos",
            "owners": ["ines@harbourpine.example", "rui@harbourpine.example"],
        },
    )
    page = owners.post(PRICES, {"stable": "market", "spread": "0.50"}, follow=True).content.decode()
    assert "Nothing was changed." in page
    assert Event.objects.filter(kind="merchant.changed").count() == 1


@pytest.mark.parametrize("spread", ["", "-0.01", "5.01", "10", "1.255", "NaN", "Infinity", "1e9", "one", "1,5"])
def test_a_spread_that_is_none_is_said_beside_its_field(owners, merchant, spread):
    answer = signed_in_again(owners).post(PRICES, {"stable": "par", "spread": spread})
    assert (answer.status_code, answer.context["prices"].errors) == (422, {"spread": ["Write a number from 0 to 5, with two decimals at most."]})
    assert priced(merchant) == (False, 0)


def test_a_choice_for_stablecoins_that_does_not_exist_is_said_beside_its_field(owners, merchant):
    answer = signed_in_again(owners).post(PRICES, {"stable": "double", "spread": "0"})
    assert (answer.status_code, answer.context["prices"].errors) == (422, {"stable": ["Choose one of the two."]})
    assert priced(merchant) == (False, 0)


@pytest.mark.parametrize("spread_e4", [-1, 50_001])
def test_the_door_itself_takes_no_spread_beyond_its_bounds(merchant, owner, spread_e4):
    with pytest.raises(ValueError, match="no spread"):
        profile.set_prices(merchant, stable_at_par=False, spread_e4=spread_e4, by=owner, now=NOW)


def test_saving_the_tokens_leaves_the_prices(owners, merchant, owner):
    profile.set_prices(merchant, stable_at_par=True, spread_e4=50_000, by=owner, now=NOW)
    owners.post(TOKENS, WRITTEN[TOKENS] | {"stable": "market", "spread": "0"})
    assert priced(merchant) == (True, 50_000)


def test_a_manager_reads_the_prices_and_may_not_change_them(client_as, merchant, manager, owner):
    profile.set_prices(merchant, stable_at_par=True, spread_e4=12_500, by=owner, now=NOW)
    page = client_as(manager).get(TOKENS).content.decode()
    assert "A stablecoin counts as one of its currency: an invoice of 100.00\N{NO-BREAK SPACE}USD asks for 100.00" in page
    assert "The spread is 1.25 %." in page
    assert PRICES not in page
    assert client_as(manager).post(PRICES, {"stable": "market", "spread": "0"}).status_code == 403
    assert priced(merchant) == (True, 12_500)


# --- the refund limit: an owner's too -----------------------------------------------------------------------------
def limited(merchant):
    merchant.refresh_from_db()
    return merchant.refund_limit_minor, merchant.refund_limit_currency


def test_an_owner_sets_the_refund_limit_after_a_fresh_sign_in_and_what_was_typed_waits(owners, merchant):
    held_up = owners.post(LIMIT, {"limit": "500.00", "currency": "JPY"})
    assert held_up.url == "/accounts/reauthenticate/?next=%2Fm%2Fharbour-pine%2Fsettings%2Frefunds%2F"
    assert limited(merchant) == (None, "")
    waiting = signed_in_again(owners).get(REFUNDS).context["form"]
    assert (waiting["limit"].value(), waiting["currency"].value()) == ("500.00", "JPY")
    again = owners.get(REFUNDS).context["form"]  # it waited once
    assert (again["limit"].value(), again["currency"].value()) == (None, "EUR")
    assert owners.post(LIMIT, {"limit": "500", "currency": "JPY"}).url == REFUNDS
    assert limited(merchant) == (500, "JPY")
    assert owners.post(LIMIT, {"limit": "500.5", "currency": "EUR"}).url == REFUNDS
    assert limited(merchant) == (50_050, "EUR")
    assert owners.get(REFUNDS).context["form"]["limit"].value() == "500.50"


def test_no_limit_is_an_empty_one_and_0_is_a_limit(owners, merchant):
    signed_in_again(owners).post(LIMIT, {"limit": "0", "currency": "EUR"})
    assert limited(merchant) == (0, "EUR")
    owners.post(LIMIT, {"limit": "", "currency": "EUR"})
    assert limited(merchant) == (None, "")


def test_a_changed_refund_limit_names_every_owner_who_is_to_be_told(owners, merchant, owner):
    add_member(merchant, "owner", email="rui@harbourpine.example")
    add_member(merchant, "manager")
    signed_in_again(owners).post(LIMIT, {"limit": "500.00", "currency": "EUR"})
    event = Event.objects.get(kind="merchant.changed")
    assert (event.actor, event.facts) == (
        owner,
        {
            "fields": ["refund_limit"],
            "was": {"refund_limit_minor": None, "refund_limit_currency": ""},
            "refund_limit_minor": 50_000,
            "refund_limit_currency": "EUR",
            "business": "Harbour & Pine",
            "who": "Inês Matos",
            "owners": ["ines@harbourpine.example", "rui@harbourpine.example"],
        },
    )
    assert "Nothing was changed." in owners.post(LIMIT, {"limit": "500", "currency": "EUR"}, follow=True).content.decode()
    assert Event.objects.filter(kind="merchant.changed").count() == 1


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"limit": "-1"}, "limit", "Write an amount like 500.00, or nothing."),
        ({"limit": "five hundred"}, "limit", "Write an amount like 500.00, or nothing."),
        ({"limit": "1,500.00"}, "limit", "Write an amount like 500.00, or nothing."),
        ({"limit": "NaN"}, "limit", "Write an amount like 500.00, or nothing."),
        ({"limit": "1" * 16}, "limit", "Write an amount like 500.00, or nothing."),
        ({"limit": "1.001"}, "limit", "EUR has 2 digits after the point. Write at most that many."),
        ({"currency": "JPY", "limit": "0.5"}, "limit", "JPY has 0 digits after the point. Write at most that many."),
        ({"currency": "XXX"}, "currency", "Choose one from the list."),
    ],
)
def test_a_refund_limit_that_is_none_is_said_beside_its_field(owners, merchant, typed, field, sentence):
    answer = signed_in_again(owners).post(LIMIT, {"limit": "500.00", "currency": "EUR"} | typed)
    assert (answer.status_code, answer.context["form"].errors) == (422, {field: [sentence]})
    assert limited(merchant) == (None, "")


def test_the_door_itself_takes_no_limit_below_zero(merchant, owner):
    with pytest.raises(ValueError, match="no limit"):
        profile.set_refund_limit(merchant, minor=-1, currency="EUR", by=owner, now=NOW)


def test_a_manager_reads_the_refund_limit_and_may_not_change_it(client_as, merchant, manager, owner):
    assert "There is no limit: one person is enough." in client_as(manager).get(REFUNDS).content.decode()
    profile.set_refund_limit(merchant, minor=50_000, currency="EUR", by=owner, now=NOW)
    page = client_as(manager).get(REFUNDS).content.decode()
    assert "Above 500.00 EUR, all refunds of one invoice together, a refund needs a second person." in page
    assert "An owner can change it." in page
    assert LIMIT not in page
    assert client_as(manager).post(LIMIT, {"limit": "", "currency": "EUR"}).status_code == 403
    assert limited(merchant) == (50_000, "EUR")


# --- the business used last ---------------------------------------------------------------------------------------
def test_the_front_door_leads_to_the_business_used_last(owners, owner, merchant):
    make_merchant(owner, slug="tide-house")
    assert owners.get("/").url == "/m/harbour-pine/"  # the one joined first
    owners.get("/m/tide-house/settings/")
    assert owners.get("/").url == "/m/tide-house/"
    owners.post(f"{HERE}", AS_IT_IS[HERE])  # a button pressed in an old tab is no visit
    assert owners.get("/").url == "/m/tide-house/"
    merchant.memberships.model.objects.filter(merchant__slug="tide-house").delete()
    assert owners.get("/").url == "/m/harbour-pine/"
