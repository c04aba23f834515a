"""The payer's pages about a refund, over HTTP and without JavaScript: every stage, every refusal, and what GET leaves alone."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from merchants import clock
from merchants.models import Merchant
from merchants.redaction import WithoutLinks, redacted
from payments import claims, refunds
from payments.models import Claim, ReceiveAddress, Refund
from payments.refunds import Seen
from tests.payments.money import USDT
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db

WHY = "Agreed by telephone."
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


@pytest.fixture
def story(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> RefundStory:
    """The web process reads the story's clock."""
    story = RefundStory(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


def link(refund: Refund, name: str = "refund_claim") -> str:
    return reverse(name, args=[claims.link_token(Refund.objects.get(pk=refund.pk))])


def mailed(claim: Claim) -> str:
    return reverse("refund_confirm", args=[claims.confirm_token(claim)])


def typed(address: str = "", **fields: str) -> dict[str, str]:
    address = address or payers_address()
    return {"address": address, "last": address[-4:], "is_mine": "1"} | fields


def words(response: Any) -> str:
    """What a person reads: the page without its tags, in one line."""
    body = re.sub(r"<(script|svg|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def stage(response: Any) -> str:
    match = re.search(r'data-stage="(\w+)"', response.content.decode())
    assert match is not None
    return match.group(1)


def everything() -> dict[str, list[dict[str, object]]]:
    """Every column of every row of every table."""
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()}


# --- giving an address --------------------------------------------------------------------------------------------
def test_the_page_says_what_comes_back_and_asks_for_an_address_of_that_network(story: RefundStory) -> None:
    refund = story.ask(reason="Two of the five posters were not needed.")
    response = Client().get(link(refund))
    said = words(response)
    assert stage(response) == "give"
    for sentence in (
        "Refund for INV-000001",
        "Coming back to you",
        "100.00 EUR",
        "paid as 108.60 USDT on Sandbox , since that is how you paid.",
        "Harbour & Pine says: Two of the five posters were not needed.",
        "Your USDT address on Sandbox",
        "This address is mine and takes USDT on Sandbox. A refund cannot be called back.",
        "This link works until 17 Dec 2026, 10:00, Lisbon time.",
        "studio@harbourpine.example",
    ):
        assert sentence in said, sentence
    assert reverse("public_brand", args=[story.invoice.public_id]) in response.content.decode()


def test_the_private_note_is_not_on_it(story: RefundStory) -> None:
    assert "Rang twice" not in Client().get(link(story.ask(note="Rang twice"))).content.decode()


def test_what_is_fixed_later_is_said_to_be(story: RefundStory) -> None:
    said = words(Client().get(link(story.ask("fiat"))))
    assert "paid in USDT on Sandbox , at the rate of the moment when Harbour & Pine approves it." in said
    assert "108.60" not in said


def test_a_surplus_is_called_one(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = RefundStory(merchant, paid=False)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    story.pay(units=119_460_000)
    story.blocks(5)
    said = words(Client().get(link(story.ask("surplus"))))
    assert "10.00 EUR" in said
    assert "You sent more than the invoice asked." in said


def test_the_whole_way_from_the_link_to_a_fixed_address(story: RefundStory) -> None:
    refund, payer = story.ask(), Client()
    response = payer.post(link(refund), typed(), follow=True)
    assert (stage(response), response.redirect_chain) == ("mailed", [(link(refund), 302)])
    assert "We sent a link to ana@duarte.example. Open it until 19 Nov 2026, 10:00, Lisbon time; only then is the address fixed." in words(response)
    refund.refresh_from_db()
    assert (refund.status, refund.address) == ("requested", "")
    claim = Claim.objects.get()
    second = payer.get(mailed(claim))
    assert "Is this your address?" in words(second)
    assert payers_address()[:4] in words(second)
    response = payer.post(mailed(claim), follow=True)
    refund.refresh_from_db()
    assert (refund.status, refund.address, refund.by_member) == ("claimed", payers_address(), False)
    assert response.redirect_chain == [(link(refund), 302)]
    assert (stage(response), "You confirmed your address" in words(response)) == ("claimed", True)
    assert payer.get(mailed(claim))["Location"] == link(refund)
    assert story.kinds()[-3:] == ["refund.requested", "refund.address_given", "refund.claimed"]


def test_an_address_copied_in_groups_is_read(story: RefundStory) -> None:
    refund, address = story.ask(), payers_address()
    grouped = " ".join(address[at : at + 4] for at in range(0, len(address), 4)) + "\r\n"
    Client().post(link(refund), typed(grouped, last=address[-4:]))
    assert Claim.objects.get().address == address


Given = Callable[[RefundStory], dict[str, str]]
REFUSALS: list[tuple[str, Given, str]] = [
    ("nothing", lambda _story: {}, "Give the address that the money is to go to."),
    ("no address", lambda _story: typed("0x" + "ab" * 20), "This is no address of the sandbox: those begin with sbx1."),
    ("another ending", lambda _story: typed(last="aaaa"), "The address does not end like this."),
    ("a short ending", lambda _story: typed(last=payers_address()[-3:]), "The address does not end like this."),
    ("not said to be theirs", lambda _story: {name: value for name, value in typed().items() if name != "is_mine"}, "Say that the address is yours."),
    (
        "the merchant's",
        lambda _story: typed(ReceiveAddress.objects.get().address),
        "This address belongs to Harbour & Pine. Give one of your own wallet.",
    ),
    ("far too long", lambda _story: typed("s" * 501), "This is longer than any address."),
]


@pytest.mark.parametrize(("given", "sentence"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_cannot_be_taken_is_said_beside_its_field_and_stored_nowhere(story: RefundStory, given: Given, sentence: str) -> None:
    refund = story.ask()
    before, fields = everything(), given(story)
    response = Client().post(link(refund), fields)
    assert response.status_code == 422
    assert sentence in words(response)
    assert everything() == before
    if fields.get("address") and len(fields["address"]) < 100:
        assert fields["address"] in response.content.decode()


@pytest.mark.parametrize("secret", [PHRASE, KEY, f"0x{KEY}", PHRASE.replace(" ", "\r\n")])
def test_what_can_spend_is_neither_shown_again_nor_stored_nor_logged(story: RefundStory, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    refund = story.ask()
    before = everything()
    with caplog.at_level(logging.DEBUG):
        response = Client().post(link(refund), typed(secret, last=secret[-8:]))
    shown = response.content.decode()
    assert "That is a key or a phrase that can spend your money. Show it to nobody." in words(response)
    for piece in (secret, secret[-8:], "sausage"):
        assert piece not in shown
        assert piece not in caplog.text.replace("select", "")
    assert everything() == before


def test_a_button_cannot_be_pressed_from_another_site(story: RefundStory) -> None:
    refund = story.ask()
    assert Client(enforce_csrf_checks=True).post(link(refund), typed()).status_code == 403
    assert Claim.objects.count() == 0


def test_after_ten_addresses_a_day_the_payer_is_sent_to_the_merchant(story: RefundStory) -> None:
    refund, payer = story.ask(), Client()
    for n in range(10):
        payer.post(link(refund), typed(payers_address(n)))
    response = payer.post(link(refund), typed(payers_address(11)), follow=True)
    assert "You have given many addresses today. Try again tomorrow, or write to Harbour & Pine." in words(response)
    assert Claim.objects.count() == 10


def test_only_the_latest_address_can_be_confirmed(story: RefundStory) -> None:
    refund, payer = story.ask(), Client()
    payer.post(link(refund), typed(payers_address(1)))
    payer.post(link(refund), typed(payers_address(2)))
    first, second = Claim.objects.order_by("id")
    response = payer.get(mailed(first))
    assert response.status_code == 410
    assert "This link does not hold any more" in words(response)
    response = payer.post(mailed(first), follow=True)
    assert "Open the link of the latest mail." in words(response)
    refund.refresh_from_db()
    assert refund.status == "requested"
    payer.post(mailed(second))
    refund.refresh_from_db()
    assert refund.address == payers_address(2)


def test_an_address_is_not_taken_once_one_is_fixed(story: RefundStory) -> None:
    refund = story.claim(story.ask())
    response = Client().post(link(refund), typed(payers_address(5)))
    refund.refresh_from_db()
    assert (stage(response), refund.address) == ("claimed", payers_address())
    assert Claim.objects.count() == 1


# --- links ----------------------------------------------------------------------------------------------------------
def test_starting_again_mails_a_new_link_and_ends_the_one_in_hand(story: RefundStory) -> None:
    refund, payer = story.claim(story.ask()), Client()
    old, again = link(refund), link(refund, "refund_claim_again")
    assert "Not your address? Give another" in words(payer.get(old))
    confirmed = mailed(Claim.objects.get())
    response = payer.post(again)
    assert "It goes to ana@duarte.example." in words(response)
    refund.refresh_from_db()
    assert (refund.status, refund.address, refund.approved_at) == ("requested", "", None)
    assert link(refund) not in response.content.decode()  # only the mail has it
    assert story.kinds()[-1] == "refund.restarted"
    for dead in (old, confirmed):
        response = payer.get(dead)
        assert response.status_code == 410
        assert "Open the link in the newest mail about your refund; if you have none, write to Harbour & Pine." in words(response)
        assert link(refund) not in response.content.decode()
        assert "100.00" not in words(response)
    assert payer.post(old, typed()).status_code == 410
    assert payer.post(again).status_code == 410
    assert stage(payer.get(link(refund))) == "give"


def test_the_second_mail_of_a_claim_that_was_started_again_does_not_lead_to_the_new_link(story: RefundStory) -> None:
    """Although the payer has given the same address once more."""
    refund = story.claim(story.ask())
    old = mailed(Claim.objects.get())
    story.claim(refunds.restart(refund, by=story.owner, now=story.now))
    for answer in (Client().get(old), Client().post(old)):
        assert answer.get("Location") != link(refund)
        assert link(refund) not in answer.content.decode()
    assert Client().post(mailed(Claim.objects.latest("id")))["Location"] == link(refund)


def test_an_address_for_a_token_that_left_the_catalogue_is_answered_with_whom_to_write_to(story: RefundStory) -> None:
    refund = story.ask()
    Refund.objects.update(asset_id="eip155:424242/slip44:60")
    assert Client().get(link(refund)).status_code == 200
    response = Client().post(link(refund), typed())
    assert (response.status_code, "This refund cannot be sent as it is. Write to Harbour & Pine." in words(response)) == (422, True)
    assert not Claim.objects.exists()


def test_a_link_that_ended_can_be_mailed_anew_once(story: RefundStory) -> None:
    refund, payer = story.ask(), Client()
    story.now += timedelta(days=30)
    response = payer.get(link(refund))
    assert stage(response) == "lapsed"
    assert "No address was confirmed until 17 Dec 2026, 10:00, Lisbon time." in words(response)
    refunds.expire_due(now=story.now)
    assert stage(payer.get(link(refund))) == "lapsed"
    again = link(refund, "refund_claim_again")
    assert "A new link is on its way" in words(payer.post(again))
    assert payer.post(again).status_code == 410
    refund.refresh_from_db()
    assert (refund.status, refund.claim_until) == ("requested", story.now + timedelta(days=30))
    assert story.kinds()[-2:] == ["refund.expired", "refund.renewed"]


def test_a_link_that_holds_is_not_mailed_again(story: RefundStory) -> None:
    refund = story.ask()
    before = everything()
    assert Client().post(link(refund, "refund_claim_again"))["Location"] == link(refund)
    assert everything() == before


def test_what_was_approved_is_the_merchants_to_stop(story: RefundStory) -> None:
    refund, payer = story.approved(), Client()
    page = words(payer.get(link(refund)))
    assert "Not your address? Write to Harbour & Pine at once: it can be sent at any moment" in page
    assert "Give another" not in page
    assert "Start again" not in page
    response = payer.post(link(refund, "refund_claim_again"), follow=True)  # from a page that was open before
    assert "Harbour & Pine has approved your refund and may be sending it now. If the address is wrong, write to them at once." in words(response)
    refund.refresh_from_db()
    assert (refund.status, refund.address) == ("approved", payers_address())


def test_what_was_sent_cannot_be_started_again(story: RefundStory) -> None:
    refund = story.approved()
    again = link(refund, "refund_claim_again")
    refunds.sent(refund, txid="ab" * 32, way="pasted", by=story.owner, now=story.now)
    response = Client().post(again, follow=True)
    refund.refresh_from_db()
    assert (stage(response), refund.address) == ("sent", payers_address())
    assert "Give another" not in words(response)


@pytest.mark.parametrize("token", ["x", "WzEsImEiXQ.AAAA", "a.b.c"])
@pytest.mark.parametrize("name", ["refund_claim", "refund_confirm"])
def test_a_link_that_is_not_whole_opens_nothing(story: RefundStory, name: str, token: str) -> None:
    story.ask()
    response = Client().get(reverse(name, args=[token]))
    assert response.status_code == 404
    assert "This link opens no refund" in words(response)


def test_one_kind_of_link_does_not_open_the_other(story: RefundStory) -> None:
    refund = story.ask()
    claim = claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    assert Client().get(reverse("refund_claim", args=[claims.confirm_token(claim)])).status_code == 410
    assert Client().get(reverse("refund_confirm", args=[claims.link_token(refund)])).status_code == 410


# --- every stage ------------------------------------------------------------------------------------------------------
def _sent(story: RefundStory) -> Refund:
    return refunds.sent(story.approved(), txid="ab" * 32, way="pasted", by=story.owner, now=story.now)


def _seen(story: RefundStory) -> Refund:
    return refunds.found(story.approved(), Seen("ab" * 32, 0, 9, "b" * 64, story.now, confirmations=1), now=story.now)


def _confirmed(story: RefundStory) -> Refund:
    return refunds.found(story.approved(), Seen("ab" * 32, 0, 9, "b" * 64, story.now, confirmations=3), now=story.now)


def _given(story: RefundStory) -> Refund:
    refund = story.ask()
    claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    return refund


def _by_member(story: RefundStory) -> Refund:
    return claims.enter(story.ask(), address=payers_address(), by=story.owner, now=story.now)


STAGES: list[tuple[str, Callable[[RefundStory], Refund], str]] = [
    ("give", lambda story: story.ask(), "Coming back to you"),
    ("mailed", _given, "One more step: confirm it from your mail."),
    ("claimed", lambda story: story.claim(story.ask()), "Harbour & Pine looks at it and approves it"),
    ("claimed", _by_member, "Harbour & Pine entered your address"),
    ("approved", lambda story: story.approved(), "Harbour & Pine sends it from its own wallet"),
    ("sent", _sent, "Sent; we are looking for it on the network"),
    ("sent", _seen, "Sent, 1 of 3 confirmations"),
    ("confirmed", _confirmed, "The network has confirmed it. It is yours."),
    ("ended", lambda story: refunds.cancel(story.ask(), why="Agreed by telephone.", by=story.owner, now=story.now), "Harbour & Pine cancelled it."),
    (
        "ended",
        lambda story: refunds.reject(story.claim(story.ask()), why="Agreed by telephone.", by=story.owner, now=story.now),
        "did not approve it.",
    ),
    (
        "ended",
        lambda story: refunds.fail(_sent(story), why="Agreed by telephone.", by=story.owner, now=story.now),
        "It was sent, and did not arrive.",
    ),
]


@pytest.mark.parametrize(("expected", "reach", "sentence"), STAGES)
def test_each_stage_says_where_it_stands_and_looking_changes_nothing(
    story: RefundStory, expected: str, reach: Callable[[RefundStory], Refund], sentence: str
) -> None:
    address = link(reach(story))
    before = everything()
    response = Client().get(address)
    assert response.status_code == 200
    assert stage(response) == expected
    assert sentence in words(response)
    assert (WHY in words(response)) == (expected == "ended")
    assert Client().head(address).status_code == 200
    assert everything() == before
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Cache-Control"] == "private, no-store"


def test_the_second_mails_page_changes_nothing_when_it_is_looked_at(story: RefundStory) -> None:
    _given(story)
    before = everything()
    response = Client().get(mailed(Claim.objects.get()))
    assert response.status_code == 200
    assert everything() == before
    assert response["Referrer-Policy"] == "same-origin"


def test_the_credit_note_is_given_while_it_holds(story: RefundStory) -> None:
    refund = _confirmed(story)
    page, note = Client().get(link(refund)), link(refund, "refund_claim_note")
    assert "CN-000001" in words(page)
    assert note in page.content.decode()
    answer = Client().get(note)
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"] == 'attachment; filename="CN-000001.pdf"'
    refunds.missing(refund, why="", now=story.now)
    assert Client().get(note).status_code == 404
    assert "CN-000001" not in words(Client().get(link(refund)))


def test_before_it_is_confirmed_there_is_no_credit_note(story: RefundStory) -> None:
    assert Client().get(link(story.approved(), "refund_claim_note")).status_code == 404


def test_what_is_wrong_with_the_merchants_transaction_is_not_the_payers_to_read(story: RefundStory) -> None:
    refund = refunds.missing(_sent(story), why="It pays 40.00 USDT; this refund is 50.00 USDT.", now=story.now)
    assert "40.00" not in words(Client().get(link(refund)))


def test_it_speaks_the_language_of_the_invoice(merchant: Merchant, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("pt", "Português")]
    story = RefundStory(merchant, language="pt")
    monkeypatch.setattr(clock, "now", lambda: story.now)
    refund = _given(story)
    for address in (link(refund), mailed(Claim.objects.get())):
        assert '<html lang="pt"' in Client(HTTP_ACCEPT_LANGUAGE="en").get(address).content.decode()


def test_it_pays_in_what_it_says_also_when_that_was_not_paid_with(story: RefundStory) -> None:
    refund = story.ask("today", asset="sandbox:harbour/slip44:60")
    said = words(Client().get(link(refund)))
    assert "on Sandbox . " in said
    assert "since that is how you paid" not in said
    assert "Your ETH address on Sandbox" in said
    assert refund.asset_id != USDT


# --- logs -------------------------------------------------------------------------------------------------------------
def test_a_link_is_written_to_no_log(story: RefundStory, caplog: pytest.LogCaptureFixture) -> None:
    refund = story.ask()
    caplog.handler.addFilter(WithoutLinks())
    Client().post(link(refund), typed(last="aaaa"))
    Client(enforce_csrf_checks=True).post(link(refund), typed())
    token = claims.link_token(refund)
    assert "/r/…/" in caplog.text
    assert token not in caplog.text
    assert token[:20] not in caplog.text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Not Found: /r/WzEsImEiXQ.abcdefgh/", "Not Found: /r/…/"),
        ("Not Found: /r/WzEsImEiXQ.abcdefgh/credit-note.pdf", "Not Found: /r/…/credit-note.pdf"),
        ("Gone: /r/confirm/WzEsImEiXQ.abcdefgh/", "Gone: /r/confirm/…/"),
        ("Not Found: /i/6c1f0f9d2b3a4e5f/pay/", "Not Found: /i/…/pay/"),
        ("Gone: /invitation/WzEsImEiXQ.abcdefgh/accept/", "Gone: /invitation/…/accept/"),
        ("Not Found: /m/harbour-pine/invoices/7/", "Not Found: /m/harbour-pine/invoices/7/"),
    ],
)
def test_what_opens_a_page_is_cut_out_of_a_line(line: str, shown: str) -> None:
    assert redacted(line) == shown
