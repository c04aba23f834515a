"""Mails about a refund, word for word: who gets them, what they say at each state, and when they no longer leave."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import timeline
from merchants.models import Event, Merchant
from notifications import courier, fanout, outbox
from notifications.mail import emails, recipients
from notifications.models import Attempt, Delivery
from notifications.plans import TEMPLATES
from notifications.transports import Withheld
from payments import claims, refunds
from payments.models import Claim, Refund
from payments.refunds import Seen
from tests.notifications.test_emails import links, words
from tests.payments.money import ETH
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db
TXID, OTHER_TXID = "a" * 64, "b" * 64
PAYER, US = "ana@duarte.example", "studio@harbourpine.example"
TO_PAYER = """\
--
Questions? Just answer this email, or write to studio@harbourpine.example.
Harbour & Pine
Lost a link to an invoice? http://testserver/lost/
This is a test. No real money moves.
"""
TO_US = """\
--
Quittance sends this to the business email of Harbour & Pine.
This is a test. No real money moves.
"""


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


def waiting(story: RefundStory, kind: str) -> Delivery:
    """The latest mail of that kind."""
    while fanout.run(story.now).events:
        pass
    return Delivery.objects.filter(template=kind).latest("id")


def letter(story: RefundStory, kind: str) -> emails.Letter:
    return emails.write(waiting(story, kind), now=story.now)


def withheld(delivery: Delivery, story: RefundStory) -> str:
    with pytest.raises(Withheld) as told:
        emails.write(delivery, now=story.now)
    return told.value.reason


def lead(story: RefundStory, kind: str) -> tuple[str, str, str]:
    """Subject, sentence, and what follows."""
    found = letter(story, kind)
    lines = [line for line in found.text.splitlines() if line and not line.startswith(("Hello", "Reason:"))]
    return found.subject, lines[0], lines[1]


def claim_page(refund: Refund) -> str:
    refund.refresh_from_db()
    return f"http://testserver/r/{claims.link_token(refund)}/"


def desk_page(refund: Refund) -> str:
    return f"http://testserver/m/harbour-pine/refunds/{refund.pk}/"


def confirmed(story: RefundStory, refund: Refund) -> Refund:
    return refunds.found(refund, Seen(TXID, 0, 90, "90", story.now, 9), now=story.now)


# --- the payer is asked -----------------------------------------------------------------------------------------
def test_the_payer_is_asked_where_it_should_go(story: RefundStory) -> None:
    refund = story.ask(reason="Two hours were not needed.", deduction_e4=25_000)
    found, page = letter(story, "refund_wanted"), claim_page(refund)

    assert found.subject == "Your refund of 97.50 EUR from Harbour & Pine: where should it go?"
    assert (
        found.text
        == f"""\
Hello Ana Duarte,

Harbour & Pine sends 97.50 EUR back to you, for invoice INV-000001.
It is paid as 105.88 USDT on Sandbox. 2.5\N{NO-BREAK SPACE}% was deducted.
Reason: Two hours were not needed.

Say where it should go: an address that takes USDT on Sandbox, in a wallet of your own. You confirm it by a second email.

Give your address: {page}
The link works until Thursday 17 December 2026, 10:00, Lisbon time.

Nobody needs a private key or a recovery phrase for this. Give them to no one.

{TO_PAYER}"""
    )
    assert links(found.html) == [page, page]
    assert (
        "HP Harbour & Pine Refund for INV-000001 This is a test. No real money moves. Hello Ana Duarte,"
        " Harbour & Pine sends 97.50 EUR back to you, for invoice INV-000001. Coming back to you 97.50 EUR"
        " It is paid as 105.88 USDT on Sandbox. 2.5\N{NO-BREAK SPACE}% was deducted. Reason: Two hours were not needed."
    ) in words(found.html)


def test_the_payer_is_told_where_the_amount_follows_from_the_rate_of_the_approval(story: RefundStory) -> None:
    story.ask("fiat")
    assert "It is paid in USDT on Sandbox; how much that is follows from the rate when it is approved.\n" in letter(story, "refund_wanted").text


def test_another_address_is_asked_for_with_a_link_of_its_own(story: RefundStory) -> None:
    refund = story.claim(story.ask())
    before = claim_page(refund)
    refund = refunds.restart(refund, by=story.owner, now=story.now)
    found = letter(story, "refund_wanted")

    assert found.subject == "Another address, for your refund of 100.00 EUR: INV-000001"
    assert "another address is needed for your refund of 100.00 EUR, for invoice INV-000001. The one before is not used.\n" in found.text
    assert claim_page(refund) in found.text
    assert claim_page(refund) != before


def test_the_payer_confirms_the_very_address_from_a_second_mail(story: RefundStory) -> None:
    address = payers_address()
    claim = claims.offer(story.ask(), address=address, last=address[-4:], now=story.now)
    found, page = letter(story, "refund_confirm"), f"http://testserver/r/confirm/{claims.confirm_token(claim)}/"

    assert found.subject == f"Is this your address? Your refund of 100.00 EUR, to …{address[-4:]}"
    assert (
        found.text
        == f"""\
Hello Ana Duarte,

this address was given for your refund of 100.00 EUR, for invoice INV-000001:

{address}

Compare it with the one in your wallet, from the first to the last letter. It has to take USDT on Sandbox. What is sent cannot be called back.

Confirm this address: {page}
The link works until Thursday 19 November 2026, 10:00, Lisbon time.

Did you not give it? Then do not confirm it, and answer this email. It is not used before you confirm it.

{TO_PAYER}"""
    )
    assert links(found.html) == [page, page]
    assert address in found.html


# --- how it stands, to the payer --------------------------------------------------------------------------------
def test_the_payer_is_told_of_every_state_and_what_there_is_to_do(story: RefundStory) -> None:
    refund = story.claim(story.ask())
    nothing = "You need do nothing. We mail you when the network has confirmed it."
    sent = (
        "Your refund of 100.00 EUR is on its way: INV-000001",
        "Harbour & Pine has sent your refund of 100.00 EUR, as 108.60 USDT on Sandbox.",
        nothing,
    )

    assert lead(story, "refund_told") == (
        "Your refund of 100.00 EUR has its address: INV-000001",
        "Your refund of 100.00 EUR goes to the address below, as soon as Harbour & Pine has approved it.",
        "Not your address? Until it is approved, you can start again on its page.",
    )
    refund = refunds.change(refund, story.terms("other", other_minor=5000), by=story.owner, version=refund.version, now=story.now)
    assert lead(story, "refund_told") == (
        "Your refund for INV-000001 is 50.00 EUR now",
        "Harbour & Pine has changed your refund for invoice INV-000001. It is 50.00 EUR now, paid as 54.29 USDT on Sandbox.",
        "It goes to the address below, as soon as it is approved. You need do nothing.",
    )
    refund = refunds.change(refund, story.terms(), by=story.owner, version=refund.version, now=story.now)
    refund = story.approve(refund)
    assert lead(story, "refund_told") == (
        "Your refund of 100.00 EUR is approved: INV-000001",
        "Harbour & Pine has approved your refund of 100.00 EUR, and sends it to the address below.",
        "You need do nothing. If it is not your address, answer this email at once.",
    )
    refund = refunds.sent(refund, txid=OTHER_TXID, way="pasted", by=story.owner, now=story.now)
    assert lead(story, "refund_told") == sent
    refund = refunds.unsent(refund, by=story.owner, now=story.now)
    assert lead(story, "refund_told") == (
        "Your refund of 100.00 EUR is still to be sent: INV-000001",
        "The transaction we named was not your refund of 100.00 EUR. Harbour & Pine has still to send it.",
        "You need do nothing. We mail you when it is sent.",
    )
    refund = refunds.found(refund, Seen(TXID, 0), now=story.now)
    assert lead(story, "refund_told") == sent
    refund = confirmed(story, refund)
    assert lead(story, "refund_told") == (
        "Refunded: 100.00 EUR for INV-000001",
        "Your refund of 100.00 EUR has arrived, as 108.60 USDT on Sandbox.",
        "Credit note CN-000001 belongs to it.",
    )
    refund = refunds.missing(refund, why="", now=story.now)
    assert lead(story, "refund_told") == (
        "Your refund of 100.00 EUR is confirming again: INV-000001",
        "The network has replaced the block that your refund of 100.00 EUR was in.",
        "Often it comes back by itself in a later block. You need do nothing; we mail you when it is confirmed again."
        " Until it is confirmed again, credit note CN-000001 does not hold.",
    )
    refunds.fail(refund, why="The fee was too low.", by=story.owner, now=story.now)
    assert lead(story, "refund_told") == (
        "Your refund of 100.00 EUR has not arrived: INV-000001",
        "Harbour & Pine sent your refund of 100.00 EUR, and it never arrived.",
        "Answer this email to have it sent anew. Credit note CN-000001 does not hold.",
    )


def test_a_refund_that_has_arrived_comes_with_its_credit_note(story: RefundStory) -> None:
    refund = confirmed(story, story.approved())
    found, page = letter(story, "refund_told"), claim_page(refund)

    assert (
        found.text
        == f"""\
Hello Ana Duarte,

Your refund of 100.00 EUR has arrived, as 108.60 USDT on Sandbox.
Credit note CN-000001 belongs to it.

See the refund: {page}
The credit note as PDF: {page}credit-note.pdf

Invoice: INV-000001
Refund: {refund.reference}
Paid as: 108.60 USDT on Sandbox
To: {refund.address}
Transaction: {TXID}

{TO_PAYER}"""
    )
    assert links(found.html) == [page, page, f"{page}credit-note.pdf"]
    assert f"Paid as 108.60 USDT on Sandbox To {refund.address} Transaction {TXID} Questions?" in words(found.html)


def test_a_returned_surplus_is_told_without_a_credit_note(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    quote = story.quote()
    story.pay(quote=quote, units=quote.amount_units * 11 // 10)
    story.blocks(5)
    confirmed(story, story.approved("surplus"))
    found = letter(story, "refund_told")

    assert found.subject == "Refunded: 10.00 EUR for INV-000001"
    assert "redit note" not in found.text + found.html


def test_an_address_that_a_member_entered_is_told_to_the_payer(story: RefundStory) -> None:
    refund = claims.enter(story.ask(), address=payers_address(), by=story.owner, now=story.now)
    told, news = letter(story, "refund_told"), lead(story, "refund_news")

    assert (
        "Harbour & Pine has entered the address below for your refund of 100.00 EUR.\n"
        "Did you not give it? Start again on its page until it is approved, or answer this email now.\n"
    ) in told.text
    assert f"To: {refund.address}\n" in told.text
    assert news[1] == "Inês Matos has entered the address for the refund of 100.00 EUR to Ana Duarte, of invoice INV-000001. Ana Duarte is told."


def test_an_amount_that_changes_before_the_claim_comes_with_the_link_that_opens_now(story: RefundStory) -> None:
    refund = story.ask()
    refund = refunds.change(refund, story.terms("other", other_minor=5000), by=story.owner, version=refund.version, now=story.now)
    found = letter(story, "refund_told")

    assert "It is 50.00 EUR now, paid as 54.29 USDT on Sandbox.\nSay where it should go. The link of the mail before opens nothing" in found.text
    assert f"Give your address: {claim_page(refund)}\n" in found.text


@pytest.mark.parametrize(
    ("end", "told", "news"),
    [
        (
            "reject",
            (
                "Your refund of 100.00 EUR was not approved: INV-000001",
                "Harbour & Pine has not approved the refund of 100.00 EUR for invoice INV-000001. Nothing is sent.",
                "To talk about it, answer this email.",
            ),
            (
                "Not approved: refund of 100.00 EUR to Ana Duarte",
                "Manager has rejected the refund of 100.00 EUR to Ana Duarte, of invoice INV-000001.",
                "Ana Duarte is told. The money can be refunded anew.",
            ),
        ),
        (
            "cancel",
            (
                "Your refund of 100.00 EUR is called off: INV-000001",
                "Harbour & Pine has called off the refund of 100.00 EUR for invoice INV-000001. Nothing is sent.",
                "To talk about it, answer this email.",
            ),
            (
                "Called off: refund of 100.00 EUR to Ana Duarte",
                "Manager has called off the refund of 100.00 EUR to Ana Duarte, of invoice INV-000001.",
                "Ana Duarte is told. The money can be refunded anew.",
            ),
        ),
    ],
)
def test_what_is_not_paid_after_all_is_told_with_the_reason(story: RefundStory, end: str, told: Any, news: Any) -> None:
    getattr(refunds, end)(story.claim(story.ask()), why="Agreed otherwise by telephone.", by=story.second, now=story.now)

    assert (lead(story, "refund_told"), lead(story, "refund_news")) == (told, news)
    for kind in ("refund_told", "refund_news"):
        found = letter(story, kind)
        assert "\nReason: Agreed otherwise by telephone.\n" in found.text
        assert "Reason: Agreed otherwise by telephone." in words(found.html)


def test_a_link_that_nobody_used_is_told_to_both(story: RefundStory) -> None:
    refund = story.ask()
    story.now += timedelta(days=30)
    refunds.expire_due(now=story.now)

    assert lead(story, "refund_told") == (
        "The link for your refund of 100.00 EUR has ended: INV-000001",
        "No address was given for your refund of 100.00 EUR in time, so its link has ended.",
        "Ask for a new link on its page.",
    )
    assert f"Ask for a new link: {claim_page(refund)}\n" in letter(story, "refund_told").text
    assert lead(story, "refund_news") == (
        "No address came: refund of 100.00 EUR to Ana Duarte",
        "Ana Duarte gave no address for the refund of 100.00 EUR in time, and its link has ended.",
        "A new link can be sent from its page.",
    )


# --- to the merchant --------------------------------------------------------------------------------------------
def test_the_merchant_is_told_of_every_state(story: RefundStory) -> None:
    refund = story.ask()
    assert lead(story, "refund_news") == (
        "Refund of 100.00 EUR to Ana Duarte: an address is wanted",
        "Inês Matos has asked for a refund of 100.00 EUR to Ana Duarte, of invoice INV-000001.",
        "Ana Duarte is mailed a link to say where it goes. You are told when there is an address.",
    )
    refund = story.claim(refund)
    assert lead(story, "refund_news") == (
        "To approve: refund of 100.00 EUR to Ana Duarte",
        "Ana Duarte has said where the refund of 100.00 EUR for invoice INV-000001 goes, and confirmed it by mail.",
        "Approve it, then pay it from your wallet.",
    )
    refund = refunds.restart(refund, by=None, now=story.now)
    assert lead(story, "refund_news") == (
        "Refund of 100.00 EUR to Ana Duarte: another address is wanted",
        "Ana Duarte wants to give another address for the refund of 100.00 EUR, of invoice INV-000001.",
        "Do not pay it to the one before. An approval does not hold any more.",
    )
    refund = story.approve(story.claim(refund, address=payers_address(1)))
    assert lead(story, "refund_news") == (
        "To pay: refund of 100.00 EUR to Ana Duarte",
        "Manager has approved the refund of 100.00 EUR to Ana Duarte, paid as 108.60 USDT on Sandbox.",
        "Pay it from your own wallet. Its page has the address and a QR code.",
    )
    refund = refunds.sent(refund, txid=OTHER_TXID, way="pasted", by=story.second, now=story.now)
    assert lead(story, "refund_news")[:2] == (
        "Sent: refund of 100.00 EUR to Ana Duarte",
        "Manager has sent the refund of 100.00 EUR to Ana Duarte, as 108.60 USDT on Sandbox.",
    )
    refund = refunds.unsent(refund, by=story.owner, now=story.now)
    assert lead(story, "refund_news") == (
        "To pay: refund of 100.00 EUR to Ana Duarte",
        "Inês Matos has said that the transaction that was named is not the refund of 100.00 EUR to Ana Duarte.",
        "It is still to be paid. Make sure that it was not paid before you do.",
    )
    refund = refunds.found(refund, Seen(TXID, 0), now=story.now)
    assert lead(story, "refund_news")[1] == "A payment of the refund of 100.00 EUR to Ana Duarte was found on Sandbox: 108.60 USDT on Sandbox."
    refund = confirmed(story, refund)
    assert lead(story, "refund_news") == (
        "Refunded: 100.00 EUR to Ana Duarte (INV-000001)",
        "The refund of 100.00 EUR to Ana Duarte is confirmed on Sandbox.",
        "Credit note CN-000001 belongs to it.",
    )
    refund = refunds.missing(refund, why="", now=story.now)
    assert lead(story, "refund_news")[:2] == (
        "The network took back a refund to Ana Duarte",
        "The refund of 100.00 EUR to Ana Duarte was confirmed and is not any more: the network has replaced the block it was in.",
    )
    refunds.fail(refund, why="", by=story.owner, now=story.now)
    assert lead(story, "refund_news")[:2] == (
        "Given up: refund of 100.00 EUR to Ana Duarte",
        "Inês Matos has given up the payment of the refund of 100.00 EUR to Ana Duarte: it never arrived.",
    )


def test_the_news_leads_to_the_desk_and_says_what_is_known(story: RefundStory) -> None:
    refund = story.claim(story.ask(note="He was cross."))
    found = letter(story, "refund_news")

    assert (
        found.text
        == f"""\
Ana Duarte has said where the refund of 100.00 EUR for invoice INV-000001 goes, and confirmed it by mail.
Approve it, then pay it from your wallet.

Look at it: {desk_page(refund)}

Invoice: INV-000001
Refund: {refund.reference}
Paid as: 108.60 USDT on Sandbox
To: {refund.address}

{TO_US}"""
    )
    assert links(found.html) == [desk_page(refund), desk_page(refund)]


def test_above_the_limit_the_news_says_that_it_takes_a_second_person(story: RefundStory) -> None:
    Merchant.objects.update(refund_limit_minor=5000, refund_limit_currency="EUR")
    story.claim(story.ask())

    assert lead(story, "refund_news")[2] == (
        "Approve it, then pay it from your wallet. Above 50.00 EUR, all refunds of one invoice together, that takes a second person, "
        "who neither asked for it nor entered its address."
    )
    assert "second person" not in letter(story, "refund_told").text


# --- who is told ------------------------------------------------------------------------------------------------
BOTH = [("refund_news", US), ("refund_told", PAYER)]


@pytest.mark.parametrize(
    ("kind", "mails"),
    [
        ("refund.requested", [("refund_news", US), ("refund_wanted", PAYER)]),
        ("refund.changed", BOTH),
        ("refund.renewed", [("refund_wanted", PAYER)]),
        ("refund.expired", BOTH),
        ("refund.address_given", [("refund_confirm", PAYER)]),
        ("refund.claimed", BOTH),
        ("refund.restarted", [("refund_news", US), ("refund_wanted", PAYER)]),
        ("refund.approved", BOTH),
        ("refund.rejected", BOTH),
        ("refund.cancelled", BOTH),
        ("refund.sent", BOTH),
        ("refund.unsent", BOTH),
        ("refund.confirmed", BOTH),
        ("refund.reopened", BOTH),
        ("refund.failed", BOTH),
    ],
)
def test_who_hears_of_a_refund_whatever_the_invoice_chose_for_payment_notices(story: RefundStory, kind: str, mails: Any) -> None:
    refund = story.ask()
    type(story.invoice).objects.update(notify_email=False)
    refunds.tell(kind, refund, story.fresh(), now=story.now)
    fanout.run(story.now)

    assert sorted(Event.objects.filter(kind=kind).latest("id").deliveries.values_list("template", "recipient")) == mails


# --- other words ------------------------------------------------------------------------------------------------
def test_of_other_words_alone_nobody_is_mailed_and_what_was_to_be_said_before_is_said(story: RefundStory) -> None:
    """Its link and its approval hold: a mail would say that they do not."""
    for name, reach in (
        ("refund_wanted", lambda: story.ask("other", other_minor=1_000)),
        ("refund_told", lambda: story.approved("other", other_minor=2_000)),
    ):
        refund = reach()
        before = [waiting(story, kind) for kind in (name, "refund_news")]
        terms = story.terms("other", other_minor=refund.amount_minor, reason="Two hours were not needed.")
        refunds.change(refund, terms, by=story.owner, version=refund.version, now=story.now)
        assert Event.objects.latest("id").facts["only_words"] is True
        for kind in ("refund_told", "refund_news"):
            assert withheld(waiting(story, kind), story) == "Only its words were changed; they stand on its page."
        for mail in before:
            assert emails.write(mail, now=story.now).subject


# --- what no longer holds ---------------------------------------------------------------------------------------
def test_a_link_is_not_mailed_once_there_is_an_address_or_a_newer_one_or_it_is_too_late(story: RefundStory) -> None:
    refund = story.ask()
    first = waiting(story, "refund_wanted")
    refund = refunds.renew(refund, by=story.owner, now=story.now)
    assert withheld(first, story) == "A newer link has taken its place."
    second = waiting(story, "refund_wanted")
    story.now += timedelta(days=30)
    assert withheld(second, story) == "Its link had expired before this could be sent."
    story.now -= timedelta(days=29)
    claims.enter(refund, address=payers_address(), by=story.owner, now=story.now)
    assert withheld(second, story) == "It was no longer waiting for an address when this could be sent."


def test_an_address_is_not_to_be_confirmed_once_another_was_given_or_it_is_fixed(story: RefundStory) -> None:
    refund = story.ask()
    claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    first = waiting(story, "refund_confirm")
    again = claims.offer(refund, address=payers_address(1), last=payers_address(1)[-4:], now=story.now)
    gone = "This address was confirmed, or another one was given, before this could be sent."

    assert withheld(first, story) == gone
    second = waiting(story, "refund_confirm")
    assert payers_address(1) in emails.write(second, now=story.now).text
    claims.confirm(again, now=story.now)
    assert withheld(second, story) == gone


def test_news_that_were_overtaken_are_not_told_and_those_of_another_refund_overtake_nothing(story: RefundStory) -> None:
    refund = story.claim(story.ask("other", other_minor=4000))
    told, news = waiting(story, "refund_told"), waiting(story, "refund_news")
    story.claim(story.ask("other", other_minor=3000), address=payers_address(1))
    assert emails.write(told, now=story.now).subject == "Your refund of 40.00 EUR has its address: INV-000001"
    story.approve(refund)

    for delivery in (told, news):
        assert withheld(delivery, story) == "The refund had moved on before this could be sent; a newer message says how it stands."


def test_nobody_is_told_that_it_was_sent_by_a_transaction_that_does_not_pay_it(story: RefundStory) -> None:
    refund = refunds.sent(story.approved(), txid=TXID, way="pasted", by=story.owner, now=story.now)
    refunds.missing(refund, why="It pays 40.00 USDT; this refund is 108.60 USDT.", now=story.now)

    assert (
        withheld(waiting(story, "refund_told"), story)
        == "By the time this could be sent, the network had shown that this transaction does not pay it."
    )


def test_what_was_being_tried_does_not_go_to_the_old_address_though_that_gets_copies(story: RefundStory) -> None:
    story.ask()
    delivery = waiting(story, "refund_wanted")
    Delivery.objects.filter(pk=delivery.pk).update(status="sending")
    recipients.change(story.fresh(), main="ana@new.example", copies={"cc": [PAYER]}, mail_now=False, by=story.owner, now=story.now)

    assert withheld(delivery, story) == "Its address was changed before this could be sent."


# --- links and secrets ------------------------------------------------------------------------------------------
def test_the_links_are_in_the_payers_mails_alone_and_kept_nowhere(story: RefundStory, mailoutbox: list[Any]) -> None:
    refund = story.ask()
    claim = claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    while fanout.run(story.now).events:
        pass
    while courier.round_of("email", now=story.now):
        pass
    refund.refresh_from_db()
    keys = [claims.link_token(refund), claims.confirm_token(claim), refund.nonce, claim.nonce]
    told = {message.to[0]: "" for message in mailoutbox}
    for message in mailoutbox:
        told[message.to[0]] += message.body + message.alternatives[0][0]

    assert [key in told[PAYER] for key in keys[:2]] == [True, True]
    assert [key for key in keys if key in told[US]] == []
    assert "/r/" not in told[US]
    kept = [str(row) for model in (Event, Delivery, Attempt) for row in model.objects.values()]
    assert [row for row in kept if any(key in row for key in keys)] == []
    assert Claim.objects.count() == 1


def test_a_mail_of_one_refund_can_be_sent_again_while_that_of_another_waits(story: RefundStory) -> None:
    story.ask("other", other_minor=4000)
    first = waiting(story, "refund_wanted")
    Delivery.objects.update(status="sent")
    story.ask("other", other_minor=3000)
    assert waiting(story, "refund_wanted").status == "queued"
    again = outbox.send_again(Delivery.objects.get(pk=first.pk), by=story.owner, now=story.now)

    assert emails.write(again, now=story.now).subject == "Your refund of 40.00 EUR from Harbour & Pine: where should it go?"
    with pytest.raises(outbox.Refused, match="One is already on its way"):
        outbox.send_again(Delivery.objects.get(pk=first.pk), by=story.owner, now=story.now)


def test_markup_in_a_reason_stays_text(story: RefundStory) -> None:
    refund = story.ask(reason="<b>Broken</b>")
    assert "<b>" not in letter(story, "refund_wanted").html
    refunds.cancel(refund, why="<img src=x>", by=story.owner, now=story.now)
    for kind in ("refund_told", "refund_news"):
        found = letter(story, kind)
        assert "<img" not in found.html
        assert "<b>" not in found.html
        assert "Reason: <img src=x>\n" in found.text


def test_a_token_on_another_network_is_named_as_it_is(story: RefundStory) -> None:
    refund = story.ask("today", asset=ETH)
    assert f"It is paid as {emails.refunds.paid_as(refund, 'en')}." in letter(story, "refund_wanted").text
    assert emails.refunds.paid_as(refund, "en").endswith(" ETH on Sandbox")


def test_every_mail_has_a_name_on_the_desk() -> None:
    assert [template for template in TEMPLATES if template not in timeline.MAILS] == []
