"""Money without an invoice: whose it may be, and what a member makes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.attention import matters
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from notifications.transports import Withheld
from payments import held, hints, unassigned
from payments.models import Hint, Transfer
from payments.unassigned import Candidate, Likeness, likeness, ranked
from tests.factories import NOW, add_member
from tests.payments.pretend import AWAY, AWAY_USDC, CATALOGUE, ETH, HOME, USDC, LiveStory, Node, away, fixed_wallet, home, living, own_wallet, price

__all__ = ["home"]


def candidate(
    asked: str | None = "100", *, invoice: int = 1, same: bool = True, told: bool = False, is_open: bool = True, minutes: int = 0
) -> Candidate:
    return Candidate(invoice, is_open, None if asked is None else Decimal(asked), same, told, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("found", "like"),
    [
        (candidate("100"), Likeness.EXACT),
        (candidate("100", same=False), Likeness.ELSEWHERE),
        (candidate("100", same=False, told=True), Likeness.ELSEWHERE),
        (candidate("777", told=True), Likeness.TOLD),
        (candidate(None, told=True), Likeness.TOLD),
        (candidate("105.26"), Likeness.NEARLY),  # 5 % less than that is 99.997
        (candidate("105.27"), None),
        (candidate("99.01"), Likeness.NEARLY),  # 1 % more than that is 100.0001
        (candidate("99"), None),
        (candidate(None), None),
    ],
)
def test_what_speaks_for_an_invoice(found: Candidate, like: Likeness | None) -> None:
    assert likeness(Decimal("100"), found) == like


def test_the_best_comes_first_and_each_invoice_once() -> None:
    rows = [
        candidate("101", invoice=1),
        candidate("100.5", invoice=2),
        candidate("100.5", invoice=3, is_open=False),
        candidate("777", invoice=4, told=True),
        candidate("100", invoice=5, same=False),
        candidate("100", invoice=6, is_open=False),
        candidate("100", invoice=7),
        candidate("100", invoice=8, minutes=1),
        candidate("100.2", invoice=7),
    ]
    found = [(one.invoice_id, like) for like, one in ranked(Decimal("100"), rows)]
    assert found == [
        (8, Likeness.EXACT),
        (7, Likeness.EXACT),
        (6, Likeness.EXACT),
        (5, Likeness.ELSEWHERE),
        (4, Likeness.TOLD),
        (2, Likeness.NEARLY),
        (1, Likeness.NEARLY),
        (3, Likeness.NEARLY),
    ]


pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Node, owner: User) -> Merchant:
    merchant = living(owner=owner)
    fixed_wallet(merchant)
    return merchant


def arrived(story: LiveStory, units: int, asset: str = USDC) -> Transfer:
    """So much at the fixed address, in a block."""
    story.node.pay("0xfixedlive", asset, units)
    story.blocks(3)
    return Transfer.objects.filter(invoice=None).latest("id")


class TestSuggestions:
    def test_nearly_the_amount_and_an_exchanges_fee_less(self, shop: Merchant, home: Node) -> None:
        story, other = LiveStory(shop, home), LiveStory(shop, home, price="250.00")
        story.quote()
        other.quote()
        found = unassigned.suggestions(arrived(story, 107_700_000), shop)
        assert [(one.invoice, one.likeness, one.asked) for one in found] == [(story.invoice, Likeness.NEARLY, Decimal("108.70"))]
        assert found[0].why == "It was asked for nearly this amount. Exchanges take their fee from what they send."

    def test_the_same_amount_on_another_network(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.quote()
        away().pay("0xfixedlive", AWAY_USDC, 108_700_000)
        away().mine(now=NOW)
        story.look(AWAY)
        found = unassigned.suggestions(Transfer.objects.get(), shop)
        assert [(one.invoice, one.likeness) for one in found] == [(story.invoice, Likeness.ELSEWHERE)]

    def test_an_amount_that_was_freed_since(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.quote()
        story.invoice.quotes.update(holds_amount=False)
        found = unassigned.suggestions(arrived(story, 108_700_000), shop)
        assert [one.likeness for one in found] == [Likeness.EXACT]

    def test_a_payers_word_suggests_and_credits_nothing(self, shop: Merchant, home: Node) -> None:
        story, liar = LiveStory(shop, home), LiveStory(shop, home, price="9.00")
        story.quote()
        liar.quote()
        transfer = arrived(story, 500_000_000)
        hints.say(liar.invoice, txid=transfer.txid, now=story.now)
        story.blocks(3)
        assert [(one.invoice, one.likeness) for one in unassigned.suggestions(transfer, shop)] == [(liar.invoice, Likeness.TOLD)]
        assert (liar.fresh().credited_minor, liar.transfers()) == (0, [])

    def test_another_merchants_invoices_are_never_suggested(self, shop: Merchant, home: Node) -> None:
        neighbour = living("neighbour")
        fixed_wallet(neighbour)
        theirs = LiveStory(neighbour, home)
        theirs.quote()
        transfer = arrived(LiveStory(shop, home), 108_700_000)
        Hint.objects.create(invoice=theirs.invoice, network=HOME, txid=transfer.txid, given_at=NOW)
        assert unassigned.suggestions(transfer, shop) == []

    @pytest.mark.parametrize("count", [1, 3])
    def test_three_queries_however_many(self, shop: Merchant, home: Node, count: int, django_assert_num_queries: Callable[[int], object]) -> None:
        stories = [LiveStory(shop, home) for _invoice in range(count)]
        for story in stories:
            story.quote()
        told = LiveStory(shop, home, price="9.00")
        transfer = arrived(told, 108_600_000)
        Hint.objects.create(invoice=told.invoice, network=HOME, txid=transfer.txid, given_at=NOW)
        with django_assert_num_queries(3):  # type: ignore[attr-defined]
            assert len(unassigned.suggestions(transfer, shop)) == count + 1


class TestAssigning:
    def test_it_counts_on_that_invoice_at_the_quoted_rate(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 54_350_000)
        price(story.now)
        assert [(one.key, one.minor) for one in unassigned.choices(transfer, story.invoice, now=story.now)] == [("locked", 5_000), ("today", 5_000)]
        unassigned.assign(transfer, story.invoice, "locked", by=owner, now=story.now)
        row = story.transfer()
        assert (row.credit_minor, row.credit_reason, row.assigned_at, row.assigned_by, row.is_held) == (
            5_000,
            "decided_locked",
            story.now,
            owner,
            False,
        )
        event = Event.objects.get(kind="payment.assigned")
        assert (event.actor, event.subject_id, event.facts["transfer"]["credit"]) == (owner, story.invoice.pk, "50.00")
        assert story.fresh().pending_minor == 5_000
        story.blocks(5)
        assert (story.invoice.credited_minor, story.transfer().status) == (5_000, "final")
        assert story.invoice.search_text.count(transfer.txid) == 1

    def test_the_same_token_of_another_network_counts_at_the_quote_too(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        story.quote()
        away().pay("0xfixedlive", AWAY_USDC, 108_700_000)
        away().mine(8, now=NOW)
        story.look(AWAY)
        unassigned.assign(Transfer.objects.get(), story.invoice, "locked", by=owner, now=NOW)
        assert (story.fresh().status, story.invoice.credited_minor) == ("paid", 10_000)

    def test_it_is_followed_by_the_chain_as_the_invoices(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 108_000_000)
        unassigned.assign(transfer, story.invoice, "locked", by=owner, now=story.now)
        home.reorg(3, now=story.now, drop=[transfer.txid])
        story.look()
        assert (story.transfer().status, story.invoice.pending_minor) == ("dropped", 0)
        assert "payment.dropped" in story.kinds()

    def test_once_only_and_never_to_another_merchants(self, shop: Merchant, home: Node, owner: User) -> None:
        story, second = LiveStory(shop, home), LiveStory(shop, home)
        story.quote()
        second.quote()
        neighbour = living("neighbour")
        own_wallet(neighbour)
        theirs = LiveStory(neighbour, home)
        theirs.quote()
        transfer = arrived(story, 108_000_000)
        with pytest.raises(held.CannotDecide, match="cannot be assigned to that invoice"):
            unassigned.assign(transfer, theirs.invoice, "locked", by=owner, now=story.now)
        with pytest.raises(held.CannotDecide, match="no such rate"):
            unassigned.assign(transfer, story.invoice, "yesterday", by=owner, now=story.now)
        unassigned.assign(transfer, story.invoice, "locked", by=owner, now=story.now)
        with pytest.raises(held.CannotDecide, match="assigned this payment already"):
            unassigned.assign(transfer, second.invoice, "locked", by=owner, now=story.now)
        assert (len(story.transfers()), second.transfers()) == (1, [])


class TestHandling:
    def test_a_note_is_wanted_and_it_needs_no_hand_any_more(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        transfer = arrived(story, 108_000_000)
        assert [matter.title for matter in matters(shop, story.now)][:1] == ["108.00 USDC on Homechain matched no invoice"]
        with pytest.raises(held.CannotDecide, match="Write what became of it"):
            held.handle(transfer, "  ", by=owner, now=story.now)
        held.handle(transfer, " Sent back\non Monday ", by=owner, now=story.now)
        assert [matter for matter in matters(shop, story.now) if "matched no invoice" in matter.title] == []
        kept = Transfer.objects.get()
        assert (kept.handled_at, kept.handled_by, kept.handled_note, kept.invoice) == (story.now, owner, "Sent back on Monday", None)
        assert Event.objects.get(kind="payment.handled").actor == owner
        with pytest.raises(held.CannotDecide, match="already decided"):
            held.handle(transfer, "Again", by=owner, now=story.now)
        story.blocks(6)
        assert Transfer.objects.get().status == "final"

    def test_it_can_still_be_assigned(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 108_000_000)
        held.handle(transfer, "Unknown", by=owner, now=story.now)
        unassigned.assign(transfer, story.invoice, "locked", by=owner, now=story.now)
        assert (story.transfer().handled_at, story.transfer().handled_note) == (None, "")

    def test_what_is_held_on_an_invoice_is_handled_the_same_way(self, home: Node, owner: User) -> None:
        merchant = living(owner=owner)
        own_wallet(merchant)
        story = LiveStory(merchant, home, all_assets=False, asset_ids=[ETH])
        home.pay(story.quote(ETH).receive_address.address, USDC, 5_000_000)
        story.blocks()
        assert [matter.title for matter in matters(merchant, story.now)] == ["A payment is held"]
        held.handle(story.transfer(), "Sent back", by=owner, now=story.now)
        assert matters(merchant, story.now) == []
        assert story.kinds()[-1] == "payment.handled"
        held.decide(story.transfer(), "today", by=owner, now=story.now)
        assert (story.transfer().credit_minor, story.transfer().handled_at) == (460, None)

    def test_dust_calls_nobody(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        transfer = arrived(story, 9_999)
        assert matters(shop, story.now) == []
        fanout.run(story.now)
        with pytest.raises(Withheld, match="less than the smallest payment"):
            emails.write(Delivery.objects.get(template="unassigned"), now=story.now)
        assert list(unassigned.waiting(shop)) == [transfer]

    def test_any_amount_of_dust_hides_no_payment(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        arrived(story, 10_000)
        for units in (1, 9_999, *range(2, 120)):
            home.pay("0xfixedlive", USDC, units)
        home.pay("0xfixedlive", ETH, 9_999_999_999_999)  # more units than a cent of USDC, and less than the least of ETH
        story.blocks()
        assert unassigned.waiting(shop).count() == 122
        assert [matter.title for matter in matters(shop, story.now)] == ["0.01 USDC on Homechain matched no invoice"]


def test_of_a_token_that_has_left_the_catalogue_it_is_taken_back_as_any_other(shop: Merchant, home: Node, settings: Any, tmp_path: Path) -> None:
    story = LiveStory(shop, home)
    transfer = arrived(story, 5_000_000)
    settings.NETWORKS_FILE = tmp_path / "without.toml"
    settings.NETWORKS_FILE.write_text(CATALOGUE.replace(f'"{USDC}"', f'"{HOME}/erc20:0xother"'))
    home.reorg(3, now=story.now, drop=[transfer.txid])
    story.look()
    transfer.refresh_from_db()
    told = Event.objects.filter(subject_id=transfer.pk).latest("id")
    said = [told.facts["transfer"][name] for name in ("symbol", "network_name", "amount")]
    assert (transfer.status, told.kind, said) == ("dropped", "payment.dropped", [USDC, HOME, "5000000"])


class TestMail:
    def test_the_merchant_is_mailed_with_the_best_suggestion(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 108_000_000)
        fanout.run(story.now)
        mail = emails.write(Delivery.objects.get(template="unassigned"), now=story.now)
        assert mail.subject == "Whose payment is this: 108.000000 USDC"
        assert "No invoice had asked for exactly this amount. It may be meant for INV-000001, Ana Duarte." in mail.text
        assert "It counts for nothing until you say whose it is." in mail.text
        assert reverse("unassigned_decide", args=["live", transfer.pk]) in mail.text
        assert Delivery.objects.get(template="unassigned").recipient == shop.email

    def test_not_when_it_was_decided_on_meanwhile(self, shop: Merchant, home: Node, owner: User) -> None:
        story = LiveStory(shop, home)
        transfer = arrived(story, 108_000_000)
        fanout.run(story.now)
        held.handle(transfer, "Sent back", by=owner, now=story.now)
        with pytest.raises(Withheld, match="decided on"):
            emails.write(Delivery.objects.get(template="unassigned"), now=story.now)


class TestPages:
    @pytest.fixture
    def desk(self, client_as: Callable[[User], Client], owner: User) -> Client:
        return client_as(owner)

    def test_the_list_and_the_page_say_what_came_and_whose_it_may_be(self, shop: Merchant, home: Node, desk: Client) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 108_000_000)
        page = desk.get(reverse("unassigned", args=["live"])).content.decode()
        assert f"https://explorer.example/tx/{transfer.txid}" in page
        assert "108.00" in page
        page = desk.get(reverse("unassigned_decide", args=["live", transfer.pk])).content.decode()
        assert "108.00 USDC on Homechain" in page
        assert f"?invoice={story.invoice.pk}" in page

    def test_a_chosen_invoice_shows_what_it_would_count_for_and_takes_it(
        self, shop: Merchant, home: Node, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 108_000_000)
        url = reverse("unassigned_decide", args=["live", transfer.pk])
        assert "99.35 EUR, at the rate it was quoted" in desk.get(f"{url}?number=inv-000001").content.decode()
        assert "There is no issued invoice of this number." in desk.get(f"{url}?number=INV-9").content.decode()
        answer = desk.post(url, {"invoice": story.invoice.pk, "choice": "locked"}, follow=True)
        assert "Assigned. It counts on INV-000001 now." in answer.content.decode()
        assert desk.get(url).url == reverse("invoice", args=["live", story.invoice.pk])  # type: ignore[attr-defined]

    def test_the_most_there_can_be_of_a_token_can_be_looked_at_too(self, shop: Merchant, home: Node, desk: Client) -> None:
        story = LiveStory(shop, home)
        story.quote()
        transfer = arrived(story, 2**256 - 1)
        page = desk.get(reverse("unassigned_decide", args=["live", transfer.pk])).content.decode()
        assert "USDC on Homechain" in page
        assert unassigned.suggestions(transfer, shop) == []
        assert desk.get(reverse("unassigned_decide", args=["live", transfer.pk]) + "?number=INV-000001").status_code == 200

    def test_a_refusal_keeps_what_was_typed(self, shop: Merchant, home: Node, desk: Client) -> None:
        transfer = arrived(LiveStory(shop, home), 108_000_000)
        url = reverse("unassigned_decide", args=["live", transfer.pk])
        answer = desk.post(url, {"act": "handle", "note": "x" * 301})
        assert "Shorten the note to 300 characters." in answer.content.decode()
        assert "x" * 301 in answer.content.decode()
        assert desk.post(url, {"act": "handle", "note": "Sent back"}).url == reverse("unassigned", args=["live"])  # type: ignore[attr-defined]

    def test_a_viewer_sees_the_list_without_a_door(self, shop: Merchant, home: Node, client_as: Callable[[User], Client]) -> None:
        transfer = arrived(LiveStory(shop, home), 108_000_000)
        viewer = client_as(add_member(shop, "viewer"))
        assert reverse("unassigned_decide", args=["live", transfer.pk]) not in viewer.get(reverse("unassigned", args=["live"])).content.decode()

    def test_the_list_asks_as_often_for_one_row_as_for_three(self, shop: Merchant, home: Node, desk: Client) -> None:
        story, counts = LiveStory(shop, home), []
        desk.get(reverse("unassigned", args=["live"]))  # a first visit asks for more
        for more in (1, 2):
            for _payment in range(more):
                arrived(story, 108_000_000)
            with CaptureQueriesContext(connection) as queries:
                desk.get(reverse("unassigned", args=["live"]))
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_the_invoices_page_says_what_its_payer_said_and_what_a_balance_showed(self, home: Node, owner: User, desk: Client) -> None:
        merchant = living(owner=owner)
        own_wallet(merchant)
        story = LiveStory(merchant, home)
        quote = story.quote(ETH)
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        txid = "0x" + "ab" * 32
        hints.say(story.invoice, txid=txid, now=story.now)
        story.blocks()
        page = desk.get(reverse("invoice", args=["live", story.invoice.pk])).content.decode()
        assert "seen by the address’s balance" in page
        assert ("The payer says it paid with" in page, f"https://explorer.example/tx/{txid}" in page) == (True, True)
