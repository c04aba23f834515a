"""Paying a refund, over HTTP: what to send, the word that it was sent, and the page that lives beside the chain."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from merchants import assets, clock
from merchants.models import Membership, Merchant
from payments import recorded, refunds, settlement, txids
from payments.models import Refund, SandboxTransaction, Transfer
from payments.refunds import Seen, Terms
from tests.payments.live import BTC, FIXED, HASH, USDT, LiveStory, no_nodes
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db

TXID = "ab" * 32
BITCOIN_ADDRESS = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


@pytest.fixture
def story(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> RefundStory:
    story = RefundStory(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


@pytest.fixture
def browser(story: RefundStory) -> Client:
    return signed_in(story.merchant)


def signed_in(merchant: Merchant) -> Client:
    client = Client()
    client.force_login(Membership.objects.filter(merchant=merchant, role="owner").get().user)
    return client


def url(refund: Refund, name: str = "refund_pay") -> str:
    return reverse(name, args=[refund.merchant.slug, refund.pk])


def words(response: Any) -> str:
    body = re.sub(r"<(script|svg|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def stage(response: Any) -> str:
    match = re.search(r'data-stage="(\w+)"', response.content.decode())
    assert match is not None
    return match.group(1)


def everything() -> dict[str, list[dict[str, object]]]:
    # 'session' holds which business was opened last
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models() if "ession" not in model._meta.label}


def live_refund(asset: str, address: str, *, key: str = "l" * 43, merchant: Merchant | None = None) -> Refund:
    """An approved refund of 25.00 EUR in `asset`, of an invoice of a live merchant that was paid in cash."""
    story = LiveStory(merchant)
    owner, now = story.invoice.merchant.memberships.get(role="owner").user, story.now
    payment = recorded.record(story.invoice, way="cash", amount_minor=10_000, paid_at=now, note="", form_key=key, by=owner, now=now)
    terms = Terms(Refund.Basis.OTHER, assets.asset(asset), frozenset({("payment", payment.pk)}), other_minor=2_500)
    refund = refunds.request(story.fresh(), terms, form_key=key, by=owner, now=now)
    refund = refunds.claimed(refund, address=address, by=None, nonce=refund.nonce, now=now)
    return refunds.approve(refund, by=owner, version=refund.version, now=now)


# --- what to send -----------------------------------------------------------------------------------------------------
def test_the_page_says_exactly_what_to_send_and_looking_changes_nothing(story: RefundStory, browser: Client) -> None:
    refund = story.approved(reason="Two posters were not needed.")
    browser.get(url(refund))
    before = everything()
    response = browser.get(url(refund))
    said, source = words(response), response.content.decode()
    assert stage(response) == "approved"
    for sentence in (
        f"Pay refund {refund.reference}",
        "108.60 USDT on Sandbox",
        "Only USDT, only on Sandbox, to the last digit.",
        "Back to Ana Duarte",
        "100.00 EUR",
        "1 EUR = 1.0860 USDT",
        "Ana Duarte, by mail",
        "Manager, 17 Nov 2026, 10:00",
        "Two posters were not needed.",
    ):
        assert sentence in said, sentence
    assert f'data-copy="{payers_address()}"' in source
    assert 'data-copy="108.6"' in source
    assert "data-wallet" not in source  # a sandbox, that no wallet knows
    assert response["Cache-Control"] == "private, no-store"
    assert everything() == before


def test_a_wallet_is_asked_for_exactly_the_refund(settings: Any) -> None:
    no_nodes(settings)
    refund = live_refund(USDT, FIXED)
    source = html.unescape(signed_in(refund.merchant).get(url(refund)).content.decode())
    call = re.search(r'data-call="(\{.*?\})" ?\n', source) or re.search(r'data-call="(\{.*\})"', source)
    assert call is not None
    assert '"chainId": "0x1"' in call.group(1)
    assert "0xa9059cbb" + FIXED[2:].lower().rjust(64, "0") + f"{27_170_000:064x}" in call.group(1)
    assert f'data-key="{refund.reference}.{refund.version}"' in source
    assert "data-until" not in source
    assert "27.17 USDT on Ethereum" in words(signed_in(refund.merchant).get(url(refund)))


def test_bitcoin_is_a_uri_with_the_amount(settings: Any) -> None:
    no_nodes(settings)
    refund = live_refund(BTC, BITCOIN_ADDRESS)
    source = signed_in(refund.merchant).get(url(refund)).content.decode()
    assert f'href="bitcoin:{BITCOIN_ADDRESS}?amount=0.0003125"' in source
    assert "data-wallet-pay" not in source


@pytest.mark.parametrize("reach", ["requested", "claimed", "cancelled"])
def test_what_is_not_approved_is_not_shown_to_be_paid(story: RefundStory, browser: Client, reach: str) -> None:
    refund = story.ask()
    if reach == "claimed":
        refund = story.claim(refund)
    if reach == "cancelled":
        refund = refunds.cancel(refund, why="", by=story.owner, now=story.now)
    assert browser.get(url(refund))["Location"] == reverse("refund", args=[story.merchant.slug, refund.pk])
    answer = browser.post(url(refund), {"txid": TXID}, follow=False)
    assert answer["Location"] == reverse("refund", args=[story.merchant.slug, refund.pk])
    refund.refresh_from_db()
    assert (refund.status, refund.txid) == (reach, "")


def test_what_lost_its_payment_is_not_to_be_paid_until_that_counts_again(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    status = url(refund, "refund_pay_status")
    etag = browser.get(status)["ETag"]
    Transfer.objects.update(status="dropped", credit_minor=0)
    settlement.reconsider(story.invoice.pk, now=story.now)
    polled = browser.get(status, HTTP_IF_NONE_MATCH=etag)
    assert (polled.status_code, stage(polled)) == (200, "short")
    page = browser.get(url(refund))
    said, source = words(page), page.content.decode()
    assert "Do not pay this now A payment behind it does not count any more" in said
    assert "If it does not come back, cancel the refund." in said
    for lure in (payers_address(), "108.6", "data-copy", 'class="qr"', "data-wallet-pay", "data-wallet-open"):
        assert lure not in source, lure
    assert f'href="{url(refund, "refund_cancel")}"' in source
    assert browser.post(url(refund, "refund_pay_sandbox"), {"act": "exact"}).status_code == 404
    Transfer.objects.update(status="final", credit_minor=10_000)
    settlement.reconsider(story.invoice.pk, now=story.now)
    again = browser.get(status, HTTP_IF_NONE_MATCH=polled["ETag"])
    assert (stage(again), again["ETag"]) == ("approved", etag)


def test_what_was_paid_before_that_was_known_can_be_said_all_the_same(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    Transfer.objects.update(status="dropped", credit_minor=0)
    settlement.reconsider(story.invoice.pk, now=story.now)
    assert stage(browser.post(url(refund), {"txid": TXID}, follow=True)) == "sent"


# --- the word that it was sent ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("typed", [TXID, f" {TXID.upper()} ", f"0x{TXID}", f"https://explorer.example/tx/{TXID}?tab=logs"])
def test_a_pasted_transaction_id_makes_it_sent_not_confirmed(story: RefundStory, browser: Client, typed: str) -> None:
    refund = story.approved()
    response = browser.post(url(refund), {"txid": typed}, follow=True)
    refund.refresh_from_db()
    assert (refund.status, refund.txid, refund.way, refund.sent_by) == ("sent", TXID, "pasted", story.owner)
    assert stage(response) == "sent"
    assert "Sent, not seen yet" in words(response)
    assert "given by a member" in words(response)
    assert "data-copy" not in response.content.decode()  # nothing invites to send it twice


def test_what_a_wallet_tells_is_noted_as_the_wallets(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    for _time in range(2):  # a wallet whose word was lost on its way back says it again
        answer = browser.post(url(refund), {"txid": TXID, "way": "wallet"})
        assert (answer.status_code, answer.content) == (204, b"")
    refund.refresh_from_db()
    assert (refund.status, refund.way) == ("sent", "wallet")
    assert story.kinds().count("refund.sent") == 1


def test_what_the_network_confirmed_before_the_wallet_was_heard_is_written_down(story: RefundStory, browser: Client) -> None:
    refund = refunds.found(story.approved(), Seen(TXID, 0, 9, "b" * 64, story.now, confirmations=3), now=story.now)
    assert browser.post(url(refund), {"txid": TXID, "way": "wallet"}).status_code == 204
    assert browser.post(url(refund), {"txid": TXID})["Location"] == url(refund)
    refund.refresh_from_db()
    assert (refund.status, refund.way) == ("confirmed", "found")


def test_a_wallet_that_cannot_be_heard_is_told_why_and_its_transaction_is_kept_in_sight(story: RefundStory, browser: Client) -> None:
    refund = refunds.restart(story.approved(), by=story.owner, now=story.now)
    answer = browser.post(url(refund), {"txid": TXID, "way": "wallet"})
    assert (answer.status_code, answer["Content-Type"]) == (409, "text/plain; charset=utf-8")
    assert refund.reference in answer.content.decode()
    shown = words(browser.get(url(refund, "refund")))
    assert f"The transaction {TXID} is not noted on it. Write it down." in shown
    refund.refresh_from_db()
    assert (refund.status, refund.txid) == ("requested", "")


@pytest.mark.parametrize("asset", ["eip155:999/erc20:0x" + "1" * 40, USDT.replace("0xdAC1", "0x1111")])
def test_what_goes_out_in_a_token_that_left_is_answered_in_a_sentence(story: RefundStory, browser: Client, asset: str) -> None:
    """Its network has left as well, or serves other tokens still."""
    refund = story.approved()
    Refund.objects.update(asset_id=asset)
    answer = browser.post(url(refund), {"txid": f"0x{TXID}"}, follow=True)
    assert "What it goes out in is not served here any more, so its network cannot be asked about a transaction." in words(answer)
    assert f"The transaction 0x{TXID} is not noted on it." in words(answer)
    assert browser.post(url(refund), {"txid": TXID, "way": "wallet"}).status_code == 409
    refund.refresh_from_db()
    assert (refund.status, refund.txid) == ("approved", "")


@pytest.mark.parametrize("typed", ["", "0x12", "queued-17", "a phrase that is none"])
def test_what_is_no_transaction_id_is_said_and_changes_nothing(story: RefundStory, browser: Client, typed: str) -> None:
    refund = story.approved()
    browser.get(url(refund))
    before = everything()
    response = browser.post(url(refund), {"txid": typed})
    assert response.status_code == 422
    assert "This is no transaction id." in words(response)
    assert everything() == before


def test_the_same_word_twice_is_one(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    for _time in range(2):
        assert browser.post(url(refund), {"txid": TXID})["Location"] == url(refund)
    assert story.kinds().count("refund.sent") == 1


def test_another_transaction_for_what_was_sent_is_not_lost_silently(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    browser.post(url(refund), {"txid": TXID})
    response = browser.post(url(refund), {"txid": "cd" * 32}, follow=True)
    assert f"The transaction {'cd' * 32} is not noted on it. Write it down." in words(response)
    refund.refresh_from_db()
    assert refund.txid == TXID


# --- the part that lives ------------------------------------------------------------------------------------------------
def test_polling_gets_nothing_until_something_changed(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    status = url(refund, "refund_pay_status")
    etag = browser.get(status)["ETag"]
    assert browser.get(status, HTTP_IF_NONE_MATCH=etag).status_code == 304
    refunds.found(refund, Seen(TXID, 0, 9, "b" * 64, story.now, confirmations=1), now=story.now)
    response = browser.get(status, HTTP_IF_NONE_MATCH=etag)
    assert (response.status_code, stage(response)) == (200, "sent")
    assert "1 of 3 confirmations" in words(response)
    etag = response["ETag"]
    refunds.found(refund, Seen(TXID, 0, 9, "b" * 64, story.now, confirmations=2), now=story.now)
    response = browser.get(status, HTTP_IF_NONE_MATCH=etag)
    assert "2 of 3 confirmations" in words(response)
    refunds.found(refund, Seen(TXID, 0, 9, "b" * 64, story.now, confirmations=3), now=story.now)
    response = browser.get(status, HTTP_IF_NONE_MATCH=response["ETag"])
    assert "Ana Duarte has it back" in words(response)
    assert "CN-000001" in words(response)
    assert "hx-get" not in response.content.decode()


def test_a_change_takes_the_address_and_the_amount_off_the_page(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    status = url(refund, "refund_pay_status")
    etag = browser.get(status)["ETag"]
    refunds.change(refund, story.terms("other", other_minor=5_000), by=story.owner, version=refund.version, now=story.now)
    response = browser.get(status, HTTP_IF_NONE_MATCH=etag)
    assert response.status_code == 200
    assert "Do not pay this now" in words(response)
    assert payers_address() not in response.content.decode()


def test_what_is_wrong_with_a_transaction_is_said_with_what_to_do(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    browser.post(url(refund), {"txid": TXID})
    refunds.missing(refund, why="It pays 40.00 USDT; this refund is 50.00 USDT.", now=story.now)
    said = words(browser.get(url(refund)))
    assert "It pays 40.00 USDT; this refund is 50.00 USDT." in said
    assert "Say on the refund’s page that it is not this one and pay it, or give it up." in said


# --- the sandbox --------------------------------------------------------------------------------------------------------
def test_the_sandbox_pays_it_and_the_watcher_finds_it(story: RefundStory, browser: Client) -> None:
    refund = story.approved()
    response = browser.post(url(refund, "refund_pay_sandbox"), {"act": "exact"}, follow=True)
    assert "On its way in the sandbox: Pay exactly." in words(response)
    assert [row.amount_units for row in SandboxTransaction.objects.filter(address=payers_address())] == [108_600_000]
    story.now += timedelta(seconds=1)
    story.blocks(4)
    refund.refresh_from_db()
    assert (refund.status, refund.way) == ("confirmed", "found")
    assert "Pay exactly" not in words(browser.get(url(refund)))
    assert "Take its block back" in words(browser.get(url(refund)))


@pytest.mark.parametrize("act", ["reorg", "nonsense", ""])
def test_the_sandbox_does_only_what_it_offers(story: RefundStory, browser: Client, act: str) -> None:
    refund = story.approved()
    assert browser.post(url(refund, "refund_pay_sandbox"), {"act": act}).status_code == 400
    assert SandboxTransaction.objects.filter(address=payers_address()).count() == 0


def test_there_is_no_sandbox_for_real_money(settings: Any) -> None:
    no_nodes(settings)
    refund = live_refund(USDT, FIXED)
    client = signed_in(refund.merchant)
    assert "Sandbox" not in words(client.get(url(refund)))
    assert client.post(url(refund, "refund_pay_sandbox"), {"act": "exact"}).status_code == 404


# --- spelling -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("network", "typed", "spelt"),
    [
        ("eip155:1", HASH, HASH),
        ("eip155:1", HASH[2:].upper(), HASH),
        ("eip155:1", f"https://etherscan.io/tx/{HASH}#eventlog", HASH),
        ("eip155:1", f"https://etherscan.io/tx/{HASH}/", HASH),
        ("eip155:1", HASH[:-1], ""),
        ("bip122:000000000019d6689c085ae165831e93", HASH, HASH[2:]),
        ("bip122:000000000019d6689c085ae165831e93", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", ""),
        ("sandbox:harbour", "", ""),
    ],
)
def test_a_transaction_id_is_spelt_as_its_network_does(settings: Any, network: str, typed: str, spelt: str) -> None:
    no_nodes(settings)
    assert txids.spelt(network, typed) == spelt
