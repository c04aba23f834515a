"""The desk's pages of refunds: asking for one, changing it, its page, and what members do to it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing import lifecycle
from merchants import clock, profile
from merchants.models import Event, Merchant, User
from payments import claims, recorded, refunds
from payments.models import Refund, Wallet
from payments.rails import sandbox
from payments.refunds import Seen
from tests.payments.money import ETH, USDT
from tests.payments.pretend import LiveStory, Node, fixed_wallet, home, living
from tests.payments.refunding import RefundStory, payers_address

__all__ = ["home"]

pytestmark = pytest.mark.django_db

KEY = "k" * 43
TXID = "a" * 64
ACTS = ("approve", "reject", "cancel", "address", "renew", "restart", "unsent", "failed", "change")


@pytest.fixture
def story(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> RefundStory:
    """100.00 EUR, paid with 108.60 USDT, final. The pages read its clock."""
    story = RefundStory(merchant)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


def to(name: str, pk: int) -> str:
    return reverse(name, args=["harbour-pine", pk])


def text(answer: Any) -> str:
    """What a person reads: no tags, one space."""
    body = answer.content.decode()
    words = re.sub(r"<[^>]+>", " ", body[body.index("<main") :])
    return re.sub(r"\s+([.,:;])", r"\1", re.sub(r"\s+", " ", words)).replace("&#x27;", "'")


def asked(story: RefundStory, basis: str = "paid", **more: Any) -> dict[str, Any]:
    keys = [f"transfer-{transfer.pk}" for transfer in story.transfers()]
    return {"form_key": KEY, "basis": basis, "keys": keys, "asset": USDT, **more}


def links(answer: Any) -> set[str]:
    """Which acts the page offers."""
    return {act for act in (*ACTS, "pay") if re.search(rf'href="[^"]*/refunds/\d+/{act}/"', answer.content.decode())}


class TestAsking:
    def test_every_way_has_its_amount_before_anything_is_typed(self, story: RefundStory, desk: Client) -> None:
        page = text(desk.get(to("refund_create", story.invoice.pk)))
        assert "What was paid, in the token as it arrived on Sandbox 108.60 USDT" in page
        assert "Its value today 100.00 EUR at today’s rate 108.59 USDT" in page  # rounded down to what can be paid
        assert "The amount in EUR in USDT on Sandbox, at the rate when it is approved 100.00 EUR" in page
        assert "up to 100.00 EUR" in page
        assert "Received 100.00 EUR, nothing refunded yet 100.00 EUR left" in page
        assert "Ana Duarte gets 108.60 USDT" in page
        assert "What was paid too much" not in page

    def test_the_press_makes_one_refund_however_often(self, story: RefundStory, desk: Client) -> None:
        form = asked(story, reason=" Phase 2  is postponed ", note="Agreed by telephone", deduction="10 %")
        first = desk.post(to("refund_create", story.invoice.pk), form)
        second = desk.post(to("refund_create", story.invoice.pk), form)
        refund = Refund.objects.get()
        assert first.url == second.url == to("refund", refund.pk)
        assert (refund.amount_minor, refund.amount_units, refund.deduction_e4) == (9_000, 97_740_000, 100_000)
        assert (refund.reason, refund.note, refund.asset_id) == ("Phase 2 is postponed", "Agreed by telephone", USDT)
        assert story.kinds().count("refund.requested") == 1

    def test_working_it_out_asks_for_nothing(self, story: RefundStory, desk: Client) -> None:
        answer = desk.post(to("refund_create", story.invoice.pk) + "?reckon", asked(story, "other", other="40", deduction="2.5"))
        assert answer.status_code == 200
        assert "Ana Duarte gets 42.35 USDT" in text(answer)  # 39.00 EUR
        assert "Kept back 1.00 EUR" in text(answer)
        assert "Left after it 61.00 EUR" in text(answer)
        assert not Refund.objects.exists()

    @pytest.mark.parametrize(
        ("more", "sentence"),
        [
            ({"basis": ""}, "Choose one."),
            ({"basis": "gift"}, "Choose one."),
            ({"basis": "other", "other": ""}, "Write how much goes back."),
            ({"basis": "other", "other": "0"}, "Write how much goes back."),
            ({"basis": "other", "other": "12,50"}, "Write the decimals after a point: 12.50."),
            ({"basis": "other", "other": "1.234"}, "EUR has 2 digits after the point."),
            ({"basis": "other", "other": "100.01"}, "That is more than is left of these payments."),
            ({"deduction": "100"}, "Write a number from 0 to less than 100, like 2.5."),
            ({"deduction": "-1"}, "Write a number from 0 to less than 100, like 2.5."),
            ({"deduction": "some"}, "Write a number from 0 to less than 100, like 2.5."),
            ({"keys": []}, "Choose at least one."),
            ({"keys": ["transfer-999999"]}, "One of these is used up."),
            ({"asset": "eip155:1/slip44:60"}, "Choose one from the list."),
            ({"reason": "x" * 301}, "Shorten this to 300 characters; it has 301."),
            ({"note": "x" * 1001}, "Shorten this to 1000 characters; it has 1001."),
        ],
    )
    def test_what_cannot_be_is_said_and_keeps_what_was_typed(self, story: RefundStory, desk: Client, more: dict[str, Any], sentence: str) -> None:
        form = asked(story, **{"reason": "Phase 2 is postponed", **more})
        answer = desk.post(to("refund_create", story.invoice.pk), form)
        assert answer.status_code == 422
        assert any(sentence in str(error) for errors in answer.context["form"].errors.values() for error in errors)
        if "keys" not in more:  # with one payment there is no choice that could be shown wrong
            assert sentence in text(answer)
        assert "reason" in more or 'value="Phase 2 is postponed"' in answer.content.decode()
        assert not Refund.objects.exists()

    def test_with_several_payments_they_can_be_chosen(self, merchant: Merchant, owner: User, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        story = RefundStory(merchant, paid=False)
        monkeypatch.setattr(clock, "now", lambda: story.now)
        story.pay(units=54_300_000)
        story.blocks(5)
        by_hand = recorded.record(story.invoice, way="bank", amount_minor=5_000, paid_at=story.now, note="", form_key="x", by=owner, now=story.now)
        page = text(desk.get(to("refund_create", story.invoice.pk)))
        assert "These did not come in one token that can be sent now. Choose payments that did, or another way." in page
        assert "54.30 USDT Sandbox" in page
        assert "Bank transfer" in page
        form = asked(story, "today", keys=[f"payment-{by_hand.pk}"])
        desk.post(to("refund_create", story.invoice.pk), form)
        refund = Refund.objects.get()
        assert [(share.payment, share.minor) for share in refund.shares.all()] == [(by_hand, 5_000)]

    def test_what_was_paid_in_goes_back_in_it_whatever_token_was_chosen_before(self, story: RefundStory, desk: Client) -> None:
        desk.post(to("refund_create", story.invoice.pk), asked(story, "paid", asset=ETH))
        assert Refund.objects.get().asset_id == USDT

    def test_too_much_is_what_is_offered_first(self, merchant: Merchant, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        story = RefundStory(merchant, paid=False)
        monkeypatch.setattr(clock, "now", lambda: story.now)
        story.pay(units=119_460_000)
        story.blocks(5)
        page = desk.get(to("refund_create", story.invoice.pk))
        assert page.context["form"]["basis"].value() == "surplus"
        assert "What was paid too much 10.00 EUR, as it was paid 10.86 USDT" in text(page)
        assert "Left after it 100.00 EUR" in text(page)

    def test_the_link_says_the_basis_and_nonsense_is_none(self, story: RefundStory, desk: Client) -> None:
        here = to("refund_create", story.invoice.pk)
        assert desk.get(f"{here}?basis=other").context["form"]["basis"].value() == "other"
        assert desk.get(f"{here}?basis=gift").context["form"]["basis"].value() == "paid"

    def test_money_that_came_another_way_and_no_wallet_says_what_to_do(
        self, home: Node, owner: User, client_as: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop = living(owner=owner)
        fixed_wallet(shop)
        story = LiveStory(shop, home)
        monkeypatch.setattr(clock, "now", lambda: story.now)
        recorded.record(story.invoice, way="cash", amount_minor=5_000, paid_at=story.now, note="", form_key="x", by=owner, now=story.now)
        Wallet.objects.update(retired_at=story.now)
        here = reverse("refund_create", args=[shop.slug, story.invoice.pk])
        page = client_as(owner).get(here)
        assert (page.status_code, page.context["form"].tokens) == (200, [])
        assert "There is no token to send it in." in text(page)
        answer = client_as(owner).post(here, {"form_key": KEY, "basis": "today", "keys": [page.context["payments"][0].key]})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["asset"])

    def test_nothing_to_refund_is_said_on_the_invoice(self, merchant: Merchant, desk: Client) -> None:
        story = RefundStory(merchant, paid=False)
        answer = desk.get(to("refund_create", story.invoice.pk), follow=True)
        assert answer.redirect_chain == [(to("invoice", story.invoice.pk), 302)]
        assert f"Nothing is left to refund on {story.invoice.name}." in text(answer)

    def test_above_the_limit_the_page_says_that_a_second_person_approves(self, story: RefundStory, desk: Client, owner: User) -> None:
        profile.set_refund_limit(story.merchant, minor=5_000, currency="EUR", by=owner, now=story.now)
        page = text(desk.get(to("refund_create", story.invoice.pk)))
        assert "It is above 50.00 EUR, all refunds of the invoice together: somebody other than you approves it." in page
        small = desk.post(to("refund_create", story.invoice.pk) + "?reckon", asked(story, "other", other="50"))
        assert "somebody other than you" not in text(small)

    def test_the_limit_is_of_all_that_goes_back_on_the_invoice(self, story: RefundStory, desk: Client, owner: User) -> None:
        profile.set_refund_limit(story.merchant, minor=5_000, currency="EUR", by=owner, now=story.now)
        first = story.ask("other", other_minor=3_000)
        reckon = to("refund_create", story.invoice.pk) + "?reckon"
        assert "somebody other than you" not in text(desk.post(reckon, asked(story, "other", other="20")))
        assert "somebody other than you" in text(desk.post(reckon, asked(story, "other", other="20.01")))
        change = to("refund_change", first.pk) + "?reckon"  # it takes its own place
        assert "somebody other than you" not in text(desk.post(change, asked(story, "other", other="50")))
        assert "somebody other than you" in text(desk.post(change, asked(story, "other", other="50.01")))

    def test_a_void_invoice_with_money_goes_back_too(self, merchant: Merchant, desk: Client, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
        story = RefundStory(merchant, paid=False)
        monkeypatch.setattr(clock, "now", lambda: story.now)
        story.pay(units=54_300_000)
        story.blocks(5)
        lifecycle.void(story.fresh(), by=owner, reason="Called off", now=story.now)
        desk.post(to("refund_create", story.invoice.pk), asked(story))
        assert Refund.objects.get().amount_minor == 5_000


class TestChanging:
    def test_the_form_starts_with_the_refund_as_it_is(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask("other", other_minor=4_000, deduction_e4=25_000, reason="Two windows", note="By telephone")
        page = desk.get(to("refund_change", refund.pk))
        form = page.context["form"]
        shown = {name: form[name].value() for name in ("basis", "other", "deduction", "reason", "note", "version", "asset")}
        assert shown == {
            "basis": "other",
            "other": "40.00",
            "deduction": "2.5",
            "reason": "Two windows",
            "note": "By telephone",
            "version": 1,
            "asset": USDT,
        }
        assert "Received 100.00 EUR, nothing refunded yet 100.00 EUR left" in text(page)  # its own does not count against it

    def test_an_approval_is_void_after_a_change(self, story: RefundStory, desk: Client) -> None:
        refund = story.approved("other", other_minor=4_000)
        desk.post(to("refund_change", refund.pk), asked(story, "other", other="30", version=refund.version))
        refund.refresh_from_db()
        assert (refund.status, refund.amount_minor, refund.approved_by) == ("claimed", 3_000, None)

    def test_what_was_changed_meanwhile_is_not_written_over(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask("other", other_minor=4_000)
        refunds.change(refund, story.terms("other", other_minor=2_000), by=story.second, version=1, now=story.now)
        answer = desk.post(to("refund_change", refund.pk), asked(story, "other", other="30", version=1), follow=True)
        assert "This refund was changed while you were looking at it. Look at it again." in text(answer)
        assert Refund.objects.get().amount_minor == 2_000

    def test_what_was_sent_cannot_be_changed(self, story: RefundStory, desk: Client) -> None:
        refund = story.approved()
        refunds.sent(refund, txid=TXID, way="pasted", by=story.owner, now=story.now)
        answer = desk.get(to("refund_change", refund.pk), follow=True)
        assert f"Refund {refund.reference} has been sent; it cannot be called back." in text(answer)


class TestThePage:
    def test_waiting_for_an_address(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask(reason="Two windows", note="She rang")
        page = desk.get(to("refund", refund.pk))
        assert "Ana Duarte is asked where to send it. The link opens until 17 December 2026." in text(page)
        assert "108.60 USDT" in text(page)
        assert "She rang" in text(page)
        assert links(page) == {"renew", "address", "change", "cancel"}

    def test_an_address_that_is_not_confirmed_yet_is_said(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
        assert "gave an address on" in text(desk.get(to("refund", refund.pk)))
        assert "and is to confirm it from a mail." in text(desk.get(to("refund", refund.pk)))

    def test_no_page_of_the_desk_has_the_payers_link(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        claim = claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
        for name in ("refund", "refund_change", "refund_address", "refund_renew", "refund_cancel"):
            page = desk.get(to(name, refund.pk)).content.decode()
            assert refund.nonce not in page
            assert claims.link_token(refund) not in page
            assert claims.confirm_token(claim) not in page

    @pytest.mark.parametrize(
        ("state", "offered"),
        [
            ("requested", {"renew", "address", "change", "cancel"}),
            ("claimed", {"approve", "reject", "change", "restart"}),
            ("approved", {"pay", "change", "restart", "cancel"}),
            ("sent", {"unsent", "failed"}),
            ("confirmed", set()),
            ("cancelled", set()),
            ("rejected", set()),
            ("failed", set()),
            ("expired", {"renew"}),
        ],
    )
    def test_each_state_offers_what_goes_with_it_and_a_viewer_nothing(
        self, story: RefundStory, desk: Client, viewer: User, client_as: Callable[[User], Client], state: str, offered: set[str]
    ) -> None:
        refund = at(story, state)
        page = desk.get(to("refund", refund.pk))
        assert (page.status_code, page.context["badge"].key) == (200, state)
        assert links(page) == offered
        looked = client_as(viewer).get(to("refund", refund.pk))
        assert (looked.status_code, links(looked)) == (200, set())

    def test_the_one_filled_button_is_the_next_step(self, story: RefundStory, desk: Client) -> None:
        for state, word in (("claimed", "Approve…"), ("approved", "Pay it")):
            page = desk.get(to("refund", at(story, state, "other", other_minor=100).pk))
            filled = re.findall(
                r'<a class="btn btn--primary" href="/m/harbour-pine/refunds/[^"]+">(?:<svg.*?</svg>)?([^<]+)</a>', page.content.decode()
            )
            assert set(filled) == {word}

    def test_who_needs_a_second_person_reads_why_and_has_no_button(
        self, story: RefundStory, desk: Client, client_as: Callable[[User], Client], owner: User
    ) -> None:
        profile.set_refund_limit(story.merchant, minor=5_000, currency="EUR", by=owner, now=story.now)
        refund = at(story, "claimed")
        page = desk.get(to("refund", refund.pk))
        assert "Above 50.00 EUR a refund needs a second person, and you asked for this one." in text(page)
        assert "approve" not in links(page)
        assert "approve" in links(client_as(story.second).get(to("refund", refund.pk)))

    def test_a_payment_behind_it_that_was_taken_back_says_what_to_do(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "claimed")
        sandbox.reorg(6, now=story.now, drop=[transfer.txid for transfer in story.transfers()])
        story.blocks(8)
        page = desk.get(to("refund", refund.pk))
        assert "A payment behind it does not count any more" in text(page)
        assert "Change it, or call it off" in text(page)
        assert "approve" not in links(page)

    def test_what_was_approved_and_lost_its_payment_is_not_to_be_paid(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "approved")
        sandbox.reorg(6, now=story.now, drop=[transfer.txid for transfer in story.transfers()])
        story.blocks(8)
        page = desk.get(to("refund", refund.pk))
        assert "It was approved, and is not to be paid now." in text(page)
        assert "Do not pay it before the payment counts again." in text(page)
        assert links(page) == {"cancel", "change", "restart"}

    def test_a_transaction_that_does_not_pay_it_says_why(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "sent")
        refunds.missing(refund, why="It pays 40.00 USDT; this refund is 108.60 USDT.", now=story.now)
        page = text(desk.get(to("refund", refund.pk)))
        assert "It pays 40.00 USDT; this refund is 108.60 USDT." in page
        assert "If it is not the payment of this refund, take it off" in page

    def test_what_the_network_shows_can_be_neither_given_up_nor_taken_off(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "sent")
        refunds.found(refund, Seen(TXID, 0, 90, "90", story.now, confirmations=1), now=story.now)
        page = desk.get(to("refund", refund.pk))
        assert "1 of 3 confirmations. There is nothing to do." in text(page)
        assert links(page) == set()
        for act in ("refund_unsent", "refund_failed"):  # from a page that was open before
            desk.post(to(act, refund.pk), {"why": "It never arrived"})
        refund.refresh_from_db()
        assert (refund.status, refund.place) == ("sent", 0)

    def test_a_confirmed_one_shows_its_transaction_its_approver_and_its_credit_note(self, story: RefundStory, desk: Client) -> None:
        page = text(desk.get(to("refund", at(story, "confirmed").pk)))
        for words in ("Went back 108.60 USDT", "counts as 100.00 EUR", "aaaaaa…aaaa", "3 of 3", "Approved by Manager", "CN-000001"):
            assert words in page

    def test_why_it_ended_stands_on_it_and_a_new_one_is_offered(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "rejected")
        page = desk.get(to("refund", refund.pk))
        assert "It was used." in text(page)
        assert to("refund_create", story.invoice.pk) in page.content.decode()

    def test_only_its_own_events_are_on_its_timeline(self, story: RefundStory, desk: Client) -> None:
        first = story.ask("other", other_minor=1_000)
        second = story.ask("other", other_minor=2_000)
        entries = [entry.text for entry in desk.get(to("refund", second.pk)).context["timeline"]]
        assert len(entries) == 1
        assert first.reference not in " ".join(entries)

    def test_a_token_that_left_the_catalogue_breaks_no_page(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "claimed")
        Refund.objects.update(asset_id="eip155:424242/slip44:60")
        for name in ("refund", "refund_approve", "refund_reject", "refund_change", "refund_restart"):
            assert desk.get(to(name, refund.pk)).status_code == 200
        Refund.objects.update(basis="fiat", amount_units=None)
        answer = desk.post(to("refund_approve", refund.pk), {"version": refund.version}, follow=True)
        assert "Its token is no longer served here. Give this refund another one." in text(answer)
        refund.refresh_from_db()
        assert refund.status == "claimed"
        Refund.objects.update(status="approved", amount_units=1_000_000, approved_at=story.now)
        for name in ("refund", "refund_pay", "refund_change", "refund_cancel", "refund_restart"):
            assert desk.get(to(name, refund.pk)).status_code == 200

    def test_more_events_ask_no_more_queries(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        desk.get(to("refund", refund.pk))
        with CaptureQueriesContext(
            connection,
        ) as few:
            desk.get(to("refund", refund.pk))
        for _again in range(3):
            refunds.renew(refund, by=story.owner, now=story.now)
        with CaptureQueriesContext(connection) as many:
            desk.get(to("refund", refund.pk))
        assert len(many) == len(few)

    @pytest.mark.parametrize("name", ["overview", "refunds", "invoice"])
    def test_a_limit_in_another_currency_asks_no_more_for_three_than_for_one(self, story: RefundStory, desk: Client, owner: User, name: str) -> None:
        profile.set_refund_limit(story.merchant, minor=100, currency="GBP", by=owner, now=story.now)
        path = to(name, story.invoice.pk) if name == "invoice" else reverse(name, args=[story.merchant.slug])
        counted = []
        for more in (1, 2):
            for _each in range(more):
                at(story, "claimed", "other", other_minor=1_000)
            desk.get(path)
            with CaptureQueriesContext(connection) as queries:
                desk.get(path)
            counted.append(len(queries))
        assert counted[0] == counted[1]


class TestDoing:
    @pytest.mark.parametrize(
        ("act", "before", "after", "data"),
        [
            ("reject", "claimed", "rejected", {"why": "It was used."}),
            ("cancel", "requested", "cancelled", {"why": "Agreed by telephone"}),
            ("cancel", "approved", "cancelled", {"why": "Agreed by telephone"}),
            ("renew", "requested", "requested", {}),
            ("renew", "expired", "requested", {}),
            ("restart", "claimed", "requested", {}),
            ("restart", "approved", "requested", {}),
            ("unsent", "sent", "approved", {}),
            ("failed", "sent", "failed", {"why": "Its fee was too low"}),
        ],
    )
    def test_it_asks_first_and_then_does_it(self, story: RefundStory, desk: Client, act: str, before: str, after: str, data: dict[str, str]) -> None:
        refund = at(story, before)
        page = desk.get(to(f"refund_{act}", refund.pk))
        assert (page.status_code, page.context["nav"]) == (200, "refunds")
        assert "%(" not in text(page)
        shown = html.unescape(page.content.decode())
        assert all(f">{page.context['words'][name]}<" in shown for name in ("heading", "question", "says", "keep", "press"))
        refund.refresh_from_db()
        assert refund.status == before
        answer = desk.post(to(f"refund_{act}", refund.pk), data, follow=True)
        assert answer.redirect_chain == [(to("refund", refund.pk), 302)]
        refund.refresh_from_db()
        assert (refund.status, refund.ended_why) == (after, data.get("why", ""))
        event = Event.objects.filter(subject_id=story.invoice.pk, kind__startswith="refund.").latest("id")
        assert event.actor == story.owner

    @pytest.mark.parametrize(("act", "state"), [("reject", "claimed"), ("cancel", "requested"), ("failed", "sent")])
    @pytest.mark.parametrize("why", ["", "   ", "\u202e"])
    def test_the_payer_is_owed_a_reason(self, story: RefundStory, desk: Client, act: str, state: str, why: str) -> None:
        refund = at(story, state)
        answer = desk.post(to(f"refund_{act}", refund.pk), {"why": why})
        assert answer.status_code == 422
        assert "Write why; the payer reads it." in text(answer)
        refund.refresh_from_db()
        assert refund.status == state

    @pytest.mark.parametrize("act", ACTS)
    def test_what_does_not_go_with_it_now_is_refused_with_a_sentence(self, story: RefundStory, desk: Client, act: str) -> None:
        refund = at(story, "cancelled")
        for answer in (desk.get(to(f"refund_{act}", refund.pk), follow=True), desk.post(to(f"refund_{act}", refund.pk), {"why": "x"}, follow=True)):
            assert answer.redirect_chain == [(to("refund", refund.pk), 302)]
            assert f"Refund {refund.reference} has ended (cancelled). Create a new one." in text(answer)

    @pytest.mark.parametrize("act", ACTS)
    def test_a_viewer_may_do_none_of_it(self, story: RefundStory, viewer: User, client_as: Callable[[User], Client], act: str) -> None:
        refund = at(story, "claimed")
        assert client_as(viewer).get(to(f"refund_{act}", refund.pk)).status_code == 403
        assert client_as(viewer).post(to(f"refund_{act}", refund.pk)).status_code == 403

    def test_approving_holds_for_what_was_seen(self, story: RefundStory, client_as: Callable[[User], Client]) -> None:
        refund = at(story, "claimed")
        second = client_as(story.second)
        seen = second.get(to("refund_approve", refund.pk))
        assert payers_address()[:4] in text(seen)
        refunds.change(refund, story.terms("other", other_minor=100), by=story.owner, version=refund.version, now=story.now)
        answer = second.post(to("refund_approve", refund.pk), {"version": refund.version}, follow=True)
        assert "This refund was changed while you were looking at it." in text(answer)
        refund.refresh_from_db()
        assert refund.status == "claimed"
        second.post(to("refund_approve", refund.pk), {"version": refund.version})
        refund.refresh_from_db()
        assert (refund.status, refund.approved_by) == ("approved", story.second)

    @pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30])
    def test_an_approval_of_nothing_seen_is_none(self, story: RefundStory, desk: Client, version: str) -> None:
        refund = at(story, "claimed")
        desk.post(to("refund_approve", refund.pk), {"version": version})
        refund.refresh_from_db()
        assert refund.status == "claimed"

    def test_above_the_limit_the_page_of_the_first_person_has_no_button_and_the_press_is_refused(
        self, story: RefundStory, desk: Client, owner: User
    ) -> None:
        profile.set_refund_limit(story.merchant, minor=9_999, currency="EUR", by=owner, now=story.now)
        refund = at(story, "claimed")
        page = desk.get(to("refund_approve", refund.pk))
        assert 'name="version"' not in page.content.decode()
        answer = desk.post(to("refund_approve", refund.pk), {"version": refund.version}, follow=True)
        assert "Above 99.99 EUR a refund needs a second person, and you asked for this one." in text(answer)
        refund.refresh_from_db()
        assert refund.status == "claimed"

    def test_an_amount_that_is_fixed_at_approval_says_about_what_it_is_now(self, story: RefundStory, desk: Client) -> None:
        refund = at(story, "claimed", "fiat")
        page = text(desk.get(to("refund_approve", refund.pk)))
        assert "Approve 100.00 EUR to Ana Duarte?" in page
        assert "now about 108.59 USDT on Sandbox" in page
        assert "now about 108.59 USDT on Sandbox; fixed as it is approved" in text(desk.get(to("refund", refund.pk)))
        desk.post(to("refund_approve", refund.pk), {"version": refund.version})
        refund.refresh_from_db()
        assert (refund.status, refund.amount_units) == ("approved", 108_590_000)

    def test_a_member_enters_the_address_that_was_given_elsewhere(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        answer = desk.post(to("refund_address", refund.pk), {"address": payers_address()}, follow=True)
        assert "Noted. Ana Duarte is told where it goes." in text(answer)
        refund.refresh_from_db()
        assert (refund.status, refund.address, refund.claimed_by, refund.by_member) == ("claimed", payers_address(), story.owner, True)
        assert "entered the address. It is to be approved." in text(answer)

    @pytest.mark.parametrize("address", ["", "0x12", "x" * 501])
    def test_what_is_no_address_is_said_beside_the_field(self, story: RefundStory, desk: Client, address: str) -> None:
        refund = story.ask()
        answer = desk.post(to("refund_address", refund.pk), {"address": address})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["address"])
        refund.refresh_from_db()
        assert refund.status == "requested"

    def test_the_merchants_own_address_is_refused(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        answer = desk.post(to("refund_address", refund.pk), {"address": story.invoice.addresses.get().address})
        assert "This address belongs to Harbour" in text(answer)

    def test_a_phrase_that_can_spend_is_not_shown_again(self, story: RefundStory, desk: Client) -> None:
        refund = story.ask()
        phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow"
        answer = desk.post(to("refund_address", refund.pk), {"address": phrase})
        assert answer.status_code == 422
        assert "Show it to nobody." in text(answer)
        assert "sausage" not in answer.content.decode()


class TestTheNavigation:
    def test_it_counts_what_waits_to_be_approved_or_paid_and_costs_one_query(self, story: RefundStory, desk: Client) -> None:
        def counted() -> tuple[str, int]:
            with CaptureQueriesContext(connection) as asked_:
                page = desk.get(reverse("payers", args=["harbour-pine"])).content.decode()
            return "".join(re.findall(r'class="nav-count">(\d+)', page)), sum('"payments_refund"' in query["sql"] for query in asked_)

        assert counted() == ("", 1)
        at(story, "claimed", "other", other_minor=100)
        at(story, "approved", "other", other_minor=100)
        story.ask("other", other_minor=100)
        at(story, "cancelled", "other", other_minor=100)
        assert counted() == ("2", 1)

    def test_a_viewer_is_asked_for_nothing(self, story: RefundStory, viewer: User, client_as: Callable[[User], Client]) -> None:
        at(story, "claimed")
        page = client_as(viewer).get(reverse("payers", args=["harbour-pine"])).content.decode()
        assert "nav-count" not in page
        assert 'href="/m/harbour-pine/refunds/"' in page


def at(story: RefundStory, state: str, basis: str = "paid", **more: Any) -> Refund:
    """A refund of `story` that has come to `state`; its transaction is TXID."""
    refund = story.ask(basis, **more)
    match state:
        case "cancelled":
            refund = refunds.cancel(refund, why="Agreed by telephone", by=story.owner, now=story.now)
        case "expired":
            story.now += timedelta(days=31)
            refunds.expire_due(now=story.now)
        case "claimed" | "rejected" | "approved" | "sent" | "confirmed" | "failed":
            refund = _further(story, story.claim(refund), state)
    refund.refresh_from_db()
    return refund


def _further(story: RefundStory, refund: Refund, state: str) -> Refund:
    if state == "claimed":
        return refund
    if state == "rejected":
        return refunds.reject(refund, why="It was used.", by=story.second, now=story.now)
    refund = story.approve(refund)
    if state == "approved":
        return refund
    refund = refunds.sent(refund, txid=TXID, way="pasted", by=story.owner, now=story.now)
    if state == "confirmed":
        return refunds.found(refund, Seen(TXID, 0, 90, "90", story.now, confirmations=3), now=story.now)
    return refunds.fail(refund, why="Its fee was too low", by=story.owner, now=story.now) if state == "failed" else refund
