"""The checkout of a live merchant over HTTP: amounts and addresses with their network, payment links, and 'I have paid'."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants import clock
from merchants.models import Merchant
from payments.checkout import situation
from payments.models import BY_BALANCE, Hint, Price, Quote, Transfer
from tests.factories import make_draft
from tests.payments.live import (
    BASE,
    BITCOIN,
    BTC,
    ETH,
    ETHEREUM,
    FIXED,
    HASH,
    OWN,
    TRON_USDT,
    USDT,
    LiveStory,
    no_nodes,
    seller,
)
from tests.payments.test_checkout_pages import words

pytestmark = pytest.mark.django_db

CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """`clocked(merchant)` is a story whose clock the web process reads."""
    no_nodes(settings, tron=True)

    def make(merchant: Merchant | None = None, **fields: Any) -> LiveStory:
        story = LiveStory(merchant, **fields)
        monkeypatch.setattr(clock, "now", lambda: story.now)
        return story

    return make


@pytest.fixture
def story(clocked: Any) -> LiveStory:
    found: LiveStory = clocked()
    return found


@pytest.fixture
def fixed(clocked: Any) -> LiveStory:
    found: LiveStory = clocked(seller(fixed=True, tron=True))
    return found


def at(story: LiveStory, name: str = "checkout") -> str:
    return reverse(name, args=[story.invoice.public_id])


def page(story: LiveStory, query: str = "", name: str = "checkout", **extra: Any) -> Any:
    return Client().get(at(story, name) + query, **extra)


def say(story: LiveStory, txid: str = "", **options: Any) -> Any:
    return Client(**options).post(at(story, "checkout_sent"), {"txid": txid})


def stage(response: Any) -> str:
    found = re.search(r'data-stage="(\w+)"', response.content.decode())
    assert found is not None
    return found.group(1)


def paid(story: LiveStory, quote: Quote, **columns: Any) -> Transfer:
    """Money on the invoice, as the watcher would have written it; nothing is credited yet."""
    values = {
        "network": ETHEREUM,
        "txid": HASH,
        "place": 1,
        "invoice": story.invoice,
        "receive_address": quote.receive_address,
        "quote": quote,
        "asset_id": quote.asset_id,
        "amount_units": quote.amount_units,
        "first_seen_at": story.now,
        "confirmations_needed": 12,
    }
    return Transfer.objects.create(**{**values, **columns})


# --- the quote --------------------------------------------------------------------------------------------------
def test_amount_and_address_carry_their_network_in_words_with_a_warning(story: LiveStory) -> None:
    story.quote(USDT)
    text = words(page(story))
    assert "Send exactly 108.70 USDT on Ethereum" in text
    assert "To this address on Ethereum" in text
    assert "Only USDT, only on Ethereum. Other tokens or networks do not reach this address. Paying from an exchange? Add its fee on top." in text


def test_the_qr_code_of_a_token_holds_the_address_alone(story: LiveStory) -> None:
    story.quote(USDT)
    shown = situation_of(story)
    assert (shown.uri, shown.wallet_link) == (OWN, "")


def test_a_link_for_a_token_waits_behind_a_warning(story: LiveStory) -> None:
    story.quote(USDT)
    html = page(story).content.decode()
    link = f"ethereum:{CONTRACT}@1/transfer?address={OWN}&uint256=108700000"
    disclosed = re.search(r'<details class="quiet" data-keep="link">(.*?)</details>', html, re.DOTALL)
    assert disclosed is not None
    assert f'href="{link.replace("&", "&amp;")}"' in disclosed.group(1)
    assert html.count("ethereum:") == 1


def test_the_native_coin_has_a_payment_link(story: LiveStory) -> None:
    story.quote(ETH)
    html = page(story).content.decode()
    link = f"ethereum:{OWN}@1?value=33333340000000000"
    assert situation_of(story).uri == link
    assert f'href="{link}" data-wallet-open' in html
    assert "Open in a wallet app" not in html


def test_bitcoin_has_a_payment_link_and_nothing_for_browser_wallets(story: LiveStory) -> None:
    quote = story.quote(BTC)
    html = page(story).content.decode()
    assert situation_of(story).uri == f"bitcoin:{quote.receive_address.address}?amount=0.00125"
    assert f'href="bitcoin:{quote.receive_address.address}?amount=0.00125"' in html
    assert "data-wallet " not in html


def test_the_copy_button_gives_every_digit(fixed: LiveStory) -> None:
    fixed.quote(USDT)
    other = LiveStory(fixed.invoice.merchant)
    other.quote(USDT)
    html = page(other).content.decode()
    assert 'data-copy="108.7001"' in html
    assert "108.7001" in words(page(other))


def test_at_a_fixed_address_the_exact_amount_is_what_counts(fixed: LiveStory) -> None:
    fixed.quote(USDT)
    text = words(page(fixed))
    assert "Only USDT, only on Ethereum, and exactly this amount." in text
    assert "To the last digit: that is how your payment is recognised." in text
    assert "Add its fee on top, so that 108.70 USDT arrives, in one payment." in text
    assert FIXED in page(fixed).content.decode()
    assert "do not reach this address" not in text


def test_a_network_in_beta_says_so_on_the_choice_and_on_the_quote(fixed: LiveStory) -> None:
    html = page(fixed).content.decode()
    tron = re.search(rf'value="{TRON_USDT}">(.*?)</button>', html, re.DOTALL)
    assert tron is not None
    assert "Beta" in tron.group(1)
    assert html.count(">Beta<") == 1
    fixed.quote(TRON_USDT)
    quoted = page(fixed)
    assert "USDT on Tron Beta" in words(quoted)
    assert "data-wallet " not in quoted.content.decode()


def test_an_asset_without_a_price_says_why_and_others_can_be_chosen(story: LiveStory) -> None:
    Price.objects.filter(name="ETH").delete()
    html = page(story).content.decode()
    assert f'value="{ETH}"' not in html
    assert f'value="{USDT}"' in html
    assert "There is no price" in words(page(story))


# --- the browser wallet -----------------------------------------------------------------------------------------
def call_of(response: Any) -> dict[str, Any]:
    found = re.search(r'data-call="(.*?)"', response.content.decode())
    assert found is not None
    return dict(json.loads(unescape(found.group(1))))


def test_a_browser_wallet_is_asked_for_exactly_the_quoted_transfer(story: LiveStory) -> None:
    story.quote(USDT)
    call = call_of(page(story))
    assert (call["chainId"], call["add"]["chainName"]) == ("0x1", "Ethereum")
    data = "0xa9059cbb" + OWN[2:].lower().rjust(64, "0") + f"{108_700_000:064x}"
    assert call["transaction"] == {"to": CONTRACT, "value": "0x0", "data": data}
    story.quote(ETH)
    assert call_of(page(story))["transaction"] == {"to": OWN, "value": hex(33_333_340_000_000_000), "data": "0x"}


def test_the_button_is_hidden_until_a_script_finds_a_wallet(story: LiveStory) -> None:
    story.quote(USDT)
    assert '<div class="wallet" data-wallet hidden' in page(story).content.decode()


def test_the_policy_stays_strict_and_nothing_is_inline(story: LiveStory) -> None:
    story.quote(USDT)
    response = page(story)
    html = response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "connect-src" not in policy or "connect-src 'self'" in policy
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == []
    assert re.findall(r"\son\w+=|\sstyle=", html) == []


# --- 'I have paid' ----------------------------------------------------------------------------------------------
def test_saying_it_is_paid_shows_the_transaction_and_where_to_look_at_it(story: LiveStory) -> None:
    story.quote(USDT)
    response = say(story, HASH.upper().replace("0X", "0x"))
    assert (response.status_code, response["Location"]) == (302, at(story) + "#said")
    assert Hint.objects.filter(network=ETHEREUM).get().txid == HASH
    text, html = words(page(story)), page(story).content.decode()
    assert "We are looking for it now. This page shows it as soon as the network does." in text
    assert "Transaction on Ethereum" in text
    assert f'href="https://etherscan.io/tx/{HASH}"' in html
    assert (stage(page(story)), story.fresh().credited_minor, story.fresh().pending_minor) == ("quoted", 0, 0)


def test_saying_it_without_a_transaction_is_fine(story: LiveStory) -> None:
    story.quote(USDT)
    assert say(story).status_code == 302
    html = page(story).content.decode()
    said = html[html.index('id="said"') :].partition("</div></div>")[0]
    assert "We are looking for it now." in said
    assert "Transaction on" not in said


def test_at_a_fixed_address_the_merchant_is_told_and_nothing_is_called_paid(fixed: LiveStory) -> None:
    fixed.quote(USDT)
    say(fixed, HASH)
    text = words(page(fixed))
    assert "We told Harbour & Pine." in text
    assert "for any other amount Harbour & Pine looks." in text
    assert "We are looking for it" not in text
    assert fixed.fresh().credited_minor == 0


@pytest.mark.parametrize("typed", ["0x1234", "my payment of Tuesday", OWN, "a" * 500, "<script>alert(1)</script>"])
def test_what_is_no_transaction_id_is_refused_beside_the_field_and_nothing_is_lost(story: LiveStory, typed: str) -> None:
    story.quote(USDT)
    response = say(story, typed)
    html = response.content.decode()
    field = re.search(r'<input class="input"[^>]*name="txid".*?>', html)
    assert field is not None
    assert response.status_code == 422
    assert f'value="{typed}"' in unescape(field.group())
    assert 'aria-invalid="true"' in field.group() and 'aria-describedby="sent-error sent-hint"' in field.group()
    assert "This is no transaction id." in words(response)
    assert '<details class="quiet" data-keep="sent" open>' in html
    assert "<script>alert" not in html
    assert Hint.objects.count() == 0


@pytest.mark.parametrize("choose", ["", "?choose=1"])
def test_what_was_said_stays_in_sight_when_the_lock_ends_and_when_choosing_again(story: LiveStory, choose: str) -> None:
    quote = story.quote(USDT)
    say(story, HASH)
    story.now = quote.locked_until
    response = page(story, choose)
    assert stage(response) == ("choose" if choose else "expired")
    assert "We are looking for it now." in words(response)


def test_it_can_be_said_on_the_quote_when_it_ended_and_on_a_part(story: LiveStory) -> None:
    quote = story.quote(USDT)
    assert "Paid, but nothing shows?" in words(page(story))
    story.now = quote.locked_until
    assert (stage(page(story)), "Paid, but nothing shows?" in words(page(story))) == ("expired", True)
    Invoice.objects.filter(pk=story.invoice.pk).update(credited_minor=4000)
    assert (stage(page(story)), "Paid, but nothing shows?" in words(page(story))) == ("part", True)
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)
    assert "Paid, but nothing shows?" not in words(page(story))


def test_once_the_hash_is_known_the_wallet_is_not_offered_again_for_this_quote(story: LiveStory) -> None:
    quote = story.quote(USDT)
    story.now += timedelta(seconds=5)
    say(story, HASH)
    assert "data-wallet " not in page(story).content.decode()
    story.now = quote.locked_until + timedelta(seconds=1)
    story.quote(USDT)
    assert "data-wallet " in page(story).content.decode()


def test_a_word_without_a_transaction_leaves_the_wallet_there(story: LiveStory) -> None:
    story.quote(USDT)
    say(story)
    assert "data-wallet " in page(story).content.decode()


def test_a_hash_is_shown_on_the_network_of_the_quote_though_it_may_be_of_any(story: LiveStory) -> None:
    story.quote(f"{BASE}/slip44:60")
    say(story, HASH)
    assert {BASE, ETHEREUM, BITCOIN} < set(Hint.objects.values_list("network", flat=True))
    assert "Transaction on Base" in words(page(story))


def test_when_the_payment_shows_the_word_is_answered(story: LiveStory) -> None:
    quote = story.quote(USDT)
    say(story, HASH)
    assert 'id="said"' in page(story).content.decode()
    paid(story, quote)
    assert 'id="said"' not in page(story).content.decode()


def test_polling_tells_of_a_new_word_and_then_is_304_again(story: LiveStory) -> None:
    story.quote(USDT)
    first = page(story, name="checkout_status")
    story.now += timedelta(seconds=5)
    assert page(story, name="checkout_status", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    say(story)
    told = page(story, name="checkout_status", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (told.status_code, told["ETag"] != first["ETag"]) == (200, True)
    assert 'data-says="Looking for your payment."' in told.content.decode()
    story.now += timedelta(seconds=5)
    assert page(story, name="checkout_status", HTTP_IF_NONE_MATCH=told["ETag"]).status_code == 304
    say(story, HASH)
    assert page(story, name="checkout_status", HTTP_IF_NONE_MATCH=told["ETag"]).status_code == 200


def test_saying_it_needs_the_csrf_token_and_a_post(story: LiveStory) -> None:
    story.quote(USDT)
    assert say(story, HASH, enforce_csrf_checks=True).status_code == 403
    assert page(story, name="checkout_sent").status_code == 405
    assert Hint.objects.count() == 0


def test_a_word_counts_for_the_invoice_of_its_link_alone(story: LiveStory) -> None:
    story.quote(USDT)
    other = LiveStory(seller("other", fixed=True, name="Other House"))
    other.quote(USDT)
    say(story, HASH)
    assert {hint.invoice_id for hint in Hint.objects.all()} == {story.invoice.pk}
    assert HASH not in page(other).content.decode()
    assert Client().post(reverse("checkout_sent", args=["AAAAAAAAAAAAAAAAAAAAAA"]), {"txid": HASH}).status_code == 404


def test_what_was_not_sent_takes_no_word(story: LiveStory) -> None:
    unsent = make_draft(story.invoice.merchant)
    assert Client().post(reverse("checkout_sent", args=[unsent.public_id]), {"txid": HASH}).status_code == 404
    assert Hint.objects.count() == 0


def test_reading_changes_no_row_after_a_word_either(story: LiveStory) -> None:
    story.quote(USDT)
    say(story, HASH)
    before = {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()}
    for name in ("checkout", "checkout_status"):
        assert page(story, name=name).status_code == 200
    assert page(story, "?choose=1").status_code == 200
    assert {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()} == before


# --- what came --------------------------------------------------------------------------------------------------
def test_money_found_by_a_balance_has_no_transaction_and_leads_to_the_address(story: LiveStory) -> None:
    quote = story.quote(ETH)
    paid(story, quote, txid=BY_BALANCE + OWN, place=0)
    Invoice.objects.filter(pk=story.invoice.pk).update(pending_minor=10_000)
    response = page(story)
    html = response.content.decode()
    assert stage(response) == "confirming"
    assert "Found by the address’s balance" in words(response)
    assert f'href="https://etherscan.io/address/{OWN}"' in html
    assert "balance:" not in html
    assert "on Ethereum" in words(response)


def situation_of(story: LiveStory) -> Any:
    return situation(story.fresh(), now=story.now).asked


def test_the_qr_code_is_drawn_from_the_payment_link(story: LiveStory) -> None:
    story.quote(BTC)
    assert unquote(situation_of(story).qr).startswith("data:image/svg+xml")
    assert BITCOIN in story.quote(BTC).asset_id
