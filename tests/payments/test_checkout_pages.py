"""Checkout over HTTP, without JavaScript: every stage, what GET leaves alone, and what polling gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from invoicing import lifecycle, pdf
from invoicing.filters import Filter
from invoicing.models import Invoice, Status
from merchants import clock
from merchants.models import Logo, Merchant, User
from payments import held, rates
from payments.models import Quote
from payments.rails import sandbox
from payments.rates.sandbox import FixedRates
from tests.factories import NOW, make_draft, make_merchant
from tests.payments.money import ETH, USDT, Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Story:
    """The web process reads the story's clock."""
    story = Story(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


def page(story: Story, name: str = "checkout", query: str = "", **extra: str) -> HttpResponse:
    return Client().get(reverse(name, args=[story.invoice.public_id]) + query, **extra)


def words(response: HttpResponse) -> str:
    """What a person reads: the page without its tags, in one line."""
    body = re.sub(r"<(script|svg|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("&#x27;", "'").replace("&amp;", "&")


def everything() -> dict[str, list[dict[str, object]]]:
    """Every column of every row of every table."""
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()}


def shown(response: HttpResponse) -> str:
    match = re.search(r'data-stage="(\w+)"', response.content.decode())
    assert match is not None
    return match.group(1)


# --- stages -----------------------------------------------------------------------------------------------------
def test_the_tokens_are_buttons_of_a_form_with_estimates(story: Story) -> None:
    response = page(story)
    html = response.content.decode()
    assert shown(response) == "choose"
    assert f'<button type="submit" class="option" name="asset" value="{USDT}">' in html
    assert "100.00 EUR is due. Choose what you have; the exact amount is set in the next step." in words(response)
    assert "108.60" in words(response)
    assert "Under a minute" in words(response)


def test_choosing_posts_and_comes_back_to_a_page_with_everything_one_needs(story: Story) -> None:
    response = Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": USDT}, follow=True)
    quote = Quote.objects.get()
    assert response.redirect_chain == [(reverse("checkout", args=[story.invoice.public_id]), 302)]
    text, html = words(response), response.content.decode()
    assert shown(response) == "quoted"
    assert quote.amount_units == 108_600_000
    for sentence in (
        "Send exactly 108.60 USDT",
        "Only USDT, only on Sandbox. Other tokens or networks do not reach this address. Paying from an exchange? Add its fee on top.",
        "1 EUR = 1.0860 USDT",
        "10:15 Lisbon time",
        quote.reference,
        "Waiting for your payment. You may close this page.",
        "studio@harbourpine.example",
    ):
        assert sentence in text
    assert 'data-copy="108.6"' in html
    assert f'data-copy="{quote.receive_address.address}"' in html
    assert f'alt="QR code: send exactly 108.60 USDT on Sandbox to {quote.receive_address.address}"' in html
    assert "Open in wallet" not in text


def test_asking_twice_for_the_same_token_is_one_quote(story: Story) -> None:
    for _time in range(2):
        Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": USDT})
    assert Quote.objects.count() == 1


def test_a_quote_that_ended_offers_a_new_one_of_the_same_token(story: Story) -> None:
    quote = story.quote()
    story.now = quote.locked_until
    response = page(story)
    assert shown(response) == "expired"
    assert "The rate lock has ended" in words(response)
    assert f'name="asset" value="{USDT}">' in response.content.decode()
    assert quote.receive_address.address not in response.content.decode()
    Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": USDT})
    assert shown(page(story)) == "quoted"


def test_seen_then_confirming_then_paid(story: Story) -> None:
    story.pay()
    story.look()
    text = words(page(story))
    assert "Your payment has been seen" in text
    assert "The network is confirming it, which takes under a minute; nothing more to do." in text
    assert "0 of 3 confirmations" in text
    story.blocks(2)
    text = words(page(story))
    assert "2 of 3 confirmations" in text
    assert "Seen on Sandbox" in text
    assert "The receipt goes to ana@duarte.example." in text
    story.blocks(1)
    response = page(story)
    text = words(response)
    assert shown(response) == "paid"
    assert "Paid, thank you You owe nothing more on this invoice. 100.00 EUR" in text
    assert "108.60 USDT on Sandbox" in text
    assert reverse("public_receipt", args=[story.invoice.public_id]) in response.content.decode()


def test_less_than_asked_says_what_came_and_the_same_link_asks_for_the_rest(story: Story) -> None:
    story.pay(units=54_300_000)
    story.blocks(3)
    response = page(story)
    text = words(response)
    assert shown(response) == "part"
    assert "Still due 50.00 EUR" in text
    assert "50.00 received of 100.00" in text
    assert "54.30 USDT arrived, and 108.60 was asked." in text
    chosen = page(story, query="?choose=1")
    assert "50.00 EUR is still due." in words(chosen)
    Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": ETH})
    assert Quote.objects.get(status="live").fiat_minor == 5000


def test_more_than_asked_is_said(story: Story) -> None:
    story.pay(units=162_900_000)
    story.blocks(3)
    text = words(page(story))
    assert "50.00 EUR more than asked arrived. Harbour & Pine has been told." in text


def test_held_money_says_who_decides(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    Merchant.objects.update(late_policy="hold")
    merchant.refresh_from_db()
    story = Story(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    sandbox.provoke(story.quote(), "late", now=story.now)
    story.blocks(3)
    response = page(story)
    assert shown(response) == "held"
    assert "It came after the rate lock, so Harbour & Pine decides what it counts for, and has been told." in words(response)


def test_held_money_that_came_in_time_is_not_called_late(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    Merchant.objects.update(late_policy="hold")
    merchant.refresh_from_db()
    story = Story(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    sandbox.pay(story.quote().receive_address.address, ETH, 10**16, now=story.now)  # nobody asked for a quote of it
    Quote.objects.update(locked_until=story.now)
    story.blocks(3)
    response = page(story)
    assert shown(response) == "held"
    assert "Its value in money is not certain, so Harbour & Pine decides what it counts for" in words(response)
    assert "Arrived late" not in words(response)
    assert 'data-says="Your payment arrived and is being looked at."' in response.content.decode()


@pytest.mark.parametrize(("policy", "said"), [("rate", True), ("hold", False)])
def test_a_late_part_is_said_to_count_at_the_rate_of_its_time_unless_a_member_decided(
    merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch, policy: str, said: bool
) -> None:
    Merchant.objects.update(late_policy=policy)
    merchant.refresh_from_db()
    story = Story(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    quote = story.quote()
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("0.5")})])
    story.now += timedelta(hours=3)
    story.pay(quote=quote)
    story.blocks(3)
    if policy == "hold":
        held.decide(story.transfers()[0], "today", by=owner, now=story.now)
    response = page(story)
    assert (shown(response), story.fresh().credited_minor) == ("part", 5_000)
    assert ("it counts at the rate of that time" in words(response)) is said


def test_a_cancelled_invoice_says_so_and_takes_no_quote(story: Story) -> None:
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)
    response = page(story)
    assert shown(response) == "void"
    assert "This invoice is cancelled" in words(response)
    refused = Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": USDT}, follow=True)
    assert "There is nothing to pay on this invoice now." in words(refused)
    assert Quote.objects.count() == 0


def test_a_cancelled_invoice_says_what_came_for_it(story: Story) -> None:
    quote = story.quote()
    story.pay(units=quote.amount_units // 2, quote=quote)
    story.blocks(4)
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)
    assert "50.00 EUR was received for it. Ask Harbour & Pine about it." in words(page(story))


def test_an_invoice_is_found_by_what_a_transfer_brought(story: Story) -> None:
    quote = story.quote()
    story.pay(units=quote.amount_units // 4, quote=quote)
    story.blocks(4)
    assert [Filter(q=typed).apply(story.invoice.merchant, story.now).count() for typed in ("25.00", "75.00")] == [1, 0]


def test_a_missed_invoice_says_so(story: Story) -> None:
    missed = make_draft(story.invoice.merchant, status=Status.MISSED)
    response = Client().get(reverse("checkout", args=[missed.public_id]))
    assert shown(response) == "missed"
    assert "This invoice was not sent in time" in words(response)


def test_a_token_the_invoice_does_not_list_is_refused_with_a_sentence(story: Story) -> None:
    response = Client().post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": "eip155:1/slip44:60"}, follow=True)
    assert "This invoice cannot be paid with that. Choose one of the tokens below." in words(response)
    assert Quote.objects.count() == 0


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SCHEDULED])
@pytest.mark.parametrize("name", ["checkout", "checkout_status", "public_invoice", "public_pdf", "public_receipt", "public_logo", "public_brand"])
def test_what_was_not_sent_is_not_there(story: Story, status: str, name: str) -> None:
    unsent = make_draft(story.invoice.merchant, status=status)
    assert Client().get(reverse(name, args=[unsent.public_id])).status_code == 404


@pytest.mark.parametrize("name", ["checkout", "checkout_status", "public_invoice", "public_pdf", "public_receipt", "public_logo", "public_brand"])
def test_a_wrong_link_is_a_404(db: None, name: str) -> None:
    assert Client().get(reverse(name, args=["AAAAAAAAAAAAAAAAAAAAAA"])).status_code == 404


# --- GET changes nothing ----------------------------------------------------------------------------------------
def _quoted(story: Story) -> None:
    story.quote()


def _expired(story: Story) -> None:
    story.now = story.quote().locked_until + timedelta(minutes=1)


def _confirming(story: Story) -> None:
    story.pay()
    story.look()


def _part(story: Story) -> None:
    story.pay(units=54_300_000)
    story.blocks(3)


def _paid(story: Story) -> None:
    story.pay()
    story.blocks(3)


def _void(story: Story) -> None:
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)


@pytest.mark.parametrize("reach", [lambda story: None, _quoted, _expired, _confirming, _part, _paid, _void])
def test_reading_every_public_page_changes_no_row(story: Story, reach: Callable[[Story], None]) -> None:
    reach(story)
    for kind in ("invoice", "receipt"):  # printed ahead, as the worker does: the stored file is what a GET hands out
        if kind == "invoice" or story.fresh().status == Status.PAID:
            pdf.ensure(story.invoice.pk, kind=kind, now=story.now)
    before = everything()
    for name in ("public_invoice", "public_pdf", "public_receipt", "public_logo", "public_brand", "checkout", "checkout_status"):
        assert page(story, name).status_code in (200, 404)
        assert page(story, name, "?choose=1").status_code in (200, 404)
    assert everything() == before


@pytest.mark.parametrize("name", ["checkout_quote", "checkout_sandbox", "public_viewed"])
def test_what_acts_refuses_get(story: Story, name: str) -> None:
    story.quote()
    before = everything()
    assert page(story, name).status_code == 405
    assert everything() == before


def test_a_quote_needs_the_csrf_token(story: Story) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": USDT}).status_code == 403
    html = strict.get(reverse("checkout", args=[story.invoice.public_id])).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', html)
    assert token is not None
    form = {"asset": USDT, "csrfmiddlewaretoken": token.group(1)}
    assert strict.post(reverse("checkout_quote", args=[story.invoice.public_id]), form).status_code == 302


# --- polling ----------------------------------------------------------------------------------------------------
def test_polling_is_304_until_something_is_new(story: Story) -> None:
    quote = story.quote()
    first = page(story, "checkout_status")
    assert first.status_code == 200
    assert "<html" not in first.content.decode()
    assert not first["ETag"].startswith("W/")
    story.now += timedelta(seconds=30)
    again = page(story, "checkout_status", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    story.pay(quote=quote)
    story.look()
    changed = page(story, "checkout_status", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (changed.status_code, shown(changed)) == (200, "confirming")
    assert changed["ETag"] != first["ETag"]


def test_the_page_carries_the_validator_its_first_poll_sends(story: Story) -> None:
    story.quote()
    match = re.search(r'hx-headers="(.*?)"', page(story).content.decode())
    assert match is not None
    etag = page(story, "checkout_status")["ETag"]
    assert match.group(1) == "{&quot;If-None-Match&quot;: &quot;\\&quot;" + etag.strip('"') + "\\&quot;&quot;}"


def test_polling_stops_when_it_is_over(story: Story) -> None:
    _quoted(story)
    assert "hx-get" in page(story, "checkout_status").content.decode()
    _paid(story)
    assert "hx-get" not in page(story, "checkout_status").content.decode()


# --- the sandbox panel ------------------------------------------------------------------------------------------
def test_the_panel_is_there_once_there_is_a_quote(story: Story) -> None:
    assert "Sandbox: make this happen" not in words(page(story))
    story.quote()
    html = page(story).content.decode()
    assert [act for act in sandbox.SCENARIOS if f'name="act" value="{act}"' in html] == list(sandbox.SCENARIOS)


@pytest.mark.parametrize(("act", "stage"), [("exact", "paid"), ("slow", "confirming"), ("part", "part"), ("over", "paid"), ("late", "paid")])
def test_the_panel_makes_payments_happen(story: Story, act: str, stage: str) -> None:
    story.quote()
    response = Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": act}, follow=True)
    assert response.status_code == 200
    story.blocks(4)
    assert shown(page(story)) == stage


def test_the_panel_takes_payments_back(story: Story) -> None:
    quote = story.quote()
    story.pay(quote=quote)
    story.blocks(2)
    Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": "drop"})
    story.look()
    response = page(story)
    assert shown(response) == "choose"
    assert "The network took 108.60 USDT back." in words(response)


def test_taking_back_what_was_not_paid_is_refused_with_a_sentence(story: Story) -> None:
    story.quote()
    response = Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": "reorg"}, follow=True)
    assert "There is no payment yet. Pay first, then take it back." in words(response)


def test_an_act_the_sandbox_does_not_know_is_refused(story: Story) -> None:
    story.quote()
    assert Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": "print"}).status_code == 400


def test_a_real_invoice_has_no_panel_and_no_way_in(story: Story) -> None:
    story.quote()
    terms = dict(story.fresh().terms) | {"is_test": False}
    Invoice.objects.filter(pk=story.invoice.pk).update(terms=terms)
    assert "Sandbox: make this happen" not in words(page(story))
    assert Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": "exact"}).status_code == 404


def test_without_a_quote_the_panel_has_nothing_to_act_on(story: Story) -> None:
    assert Client().post(reverse("checkout_sandbox", args=[story.invoice.public_id]), {"act": "exact"}).status_code == 404


# --- frozen, private --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reach", [lambda story: None, _quoted, _confirming, _part, _paid])
def test_renaming_everything_after_issue_changes_no_byte(story: Story, reach: Callable[[Story], None], tmp_path: Path, settings: Any) -> None:
    reach(story)
    before = [_bytes(page(story, name)) for name in ("public_invoice", "checkout", "checkout_status")]
    Merchant.objects.update(
        name="Another Name",
        email="other@elsewhere.example",
        address="Elsewhere 1",
        brand_color="#AA0000",
        logo=Logo.keep(b"x"),
        time_zone="Asia/Tokyo",
    )
    renamed = Path(settings.NETWORKS_FILE).read_text().replace('"Sandbox"', '"Quicksand"').replace('symbol = "USDT"', 'symbol = "TUSD"')
    assert renamed.count("Quicksand") == 1 and "TUSD" in renamed
    (tmp_path / "networks.toml").write_text(renamed)
    settings.NETWORKS_FILE = str(tmp_path / "networks.toml")
    assert [_bytes(page(story, name)) for name in ("public_invoice", "checkout", "checkout_status")] == before


def _bytes(response: HttpResponse) -> str:
    """The page without its CSRF token, which is masked anew each time."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


@pytest.mark.parametrize("name", ["checkout", "checkout_status", "public_invoice"])
def test_pages_are_neither_found_nor_kept_nor_named_to_others(story: Story, name: str) -> None:
    response = page(story, name)
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cache-Control"] == "private, no-store"


def test_another_merchants_invoice_is_not_on_the_page(story: Story, now: datetime) -> None:
    other = Story(make_merchant(slug="other", name="Other House"), title="Something else")
    quote = other.quote()
    html = page(story).content.decode() + page(story, "public_invoice").content.decode()
    assert quote.receive_address.address not in html
    assert "Something else" not in html
    assert "Other House" not in html
    assert now == NOW


@pytest.mark.parametrize("payments", [1, 3])
def test_a_poll_asks_the_database_six_times_however_much_was_paid(story: Story, payments: int, django_assert_num_queries: Any) -> None:
    quote = story.quote()
    for _payment in range(payments):
        story.pay(units=10_000_000, quote=quote)
    story.look()
    story.quote()
    with django_assert_num_queries(6):
        assert page(story, "checkout_status").status_code == 200
