"""Refunds in the books: the list across invoices and its file, the file of payments, the pages of invoice and payer, the
statement, and what the payer's own pages say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from invoicing import credit_notes, lifecycle, payers, standing, statement
from invoicing.models import Invoice, Payer
from merchants import assets
from merchants.models import Merchant, User
from payments import refund_exports, refund_filters, refunds
from payments.models import LIVE, Refund
from payments.refund_filters import RefundFilter
from payments.refunds import Seen, claiming
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.test_views_pages import words
from tests.payments.money import BTC, USDT
from tests.payments.refunding import RefundStory, payers_address

Basis = Refund.Basis


@pytest.fixture
def ana(merchant: Merchant) -> Payer:
    return Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")


@pytest.fixture
def story(ana: Payer) -> RefundStory:
    return RefundStory(ana.merchant, payer=ana)


@pytest.fixture
def desk(client_as: Callable[[User], Client], viewer: User) -> Client:
    return client_as(viewer)


def txid_of(refund: Refund) -> str:
    return f"{refund.pk:064x}"


def confirm(story: RefundStory, refund: Refund, *, block: str = "b" * 64) -> Refund:
    """The chain shows the payment of an approved `refund`, deep enough."""
    refund.refresh_from_db()
    return refunds.found(refund, Seen(txid_of(refund), 0, 7, block, story.now, confirmations=99), now=story.now)


def given_back(story: RefundStory, minor: int, **more: Any) -> Refund:
    """A confirmed refund of `minor` of the invoice's currency."""
    return confirm(story, story.approved(Basis.OTHER, other_minor=minor, **more))


def url(name: str, merchant: Merchant, *args: Any) -> str:
    return reverse(name, args=[merchant.slug, *args])


def table(desk: Client, path: str) -> list[dict[str, str]]:
    """A CSV file's rows."""
    return list(csv.DictReader(b"".join(desk.get(path).streaming_content).decode("utf-8-sig").splitlines()))


# --- the list ---------------------------------------------------------------------------------------------------
def one_of_each_state(story: RefundStory) -> dict[str, Refund]:
    """A refund of 1.00 in each state, each on the one paid invoice of 100.00."""
    found = {state: story.ask(Basis.OTHER, other_minor=100) for state in Refund.State.values}
    for state in ("claimed", "approved", "sent", "confirmed", "rejected", "failed"):
        story.claim(found[state], address=payers_address(1))
    for state in ("approved", "sent", "confirmed", "failed"):
        story.approve(found[state])
    for state in ("sent", "failed"):
        refunds.sent(found[state], txid=txid_of(found[state]), way="pasted", by=story.owner, now=story.now)
    confirm(story, found["confirmed"])
    refunds.reject(found["rejected"], why="Agreed otherwise", by=story.owner, now=story.now)
    refunds.cancel(found["cancelled"], why="Asked for twice", by=story.owner, now=story.now)
    refunds.fail(found["failed"], why="It was replaced", by=story.owner, now=story.now)
    claiming._expire(found["expired"], now=story.now + refunds.CLAIM_LASTS)
    return found


def test_every_state_has_its_badge_and_it_says_the_same_word():
    assert {key: str(badge.word) for key, badge in standing.REFUNDS.items()} == {state.value: str(state.label) for state in Refund.State}


@pytest.mark.parametrize(
    ("show", "states"),
    [
        ("all", [*Refund.State.values]),
        ("todo", ["claimed", "approved"]),
        ("requested", ["requested"]),
        ("sent", ["sent"]),
        ("confirmed", ["confirmed"]),
        ("ended", ["cancelled", "rejected", "failed", "expired"]),
    ],
)
def test_the_list_shows_the_states_that_are_asked_for_and_counts_them_all(desk: Client, story: RefundStory, show: str, states: list[str]) -> None:
    one_of_each_state(story)
    answer = desk.get(url("refunds", story.merchant) + f"?show={show}")
    assert sorted(row.refund.status for row in answer.context["rows"]) == sorted(states)
    assert {chip.key: chip.count for chip in answer.context["chips"]} == {
        "all": 9, "todo": 2, "requested": 1, "claimed": 1, "approved": 1, "sent": 1, "confirmed": 1, "ended": 4,
    }  # fmt: skip
    assert [chip.key for chip in answer.context["chips"] if chip.is_on] == [show]


def test_the_sums_are_of_what_is_listed_per_currency_and_of_what_did_not_end(desk: Client, story: RefundStory) -> None:
    yen = copy(story)
    yen.invoice = publish(make_draft(story.merchant, currency="JPY", lines=[("Work", "1", "20000")]), now=story.now)
    yen.pay()
    yen.blocks(5)
    given_back(yen, 700)
    one_of_each_state(story)
    page = words(desk.get(url("refunds", story.merchant)))
    assert "Refunded 1.00 EUR 700 JPY On its way back 4.00 EUR Payer" in page
    assert "10 refunds" in page
    assert "Clear On its way back 2.00 EUR Payer" in words(desk.get(url("refunds", story.merchant) + "?show=todo"))
    assert "Nothing goes back here." in words(desk.get(url("refunds", story.merchant) + "?show=ended"))


def test_a_row_says_who_what_how_much_and_its_credit_note(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    page = words(desk.get(url("refunds", story.merchant)))
    assert "Ana Duarte INV-000001 Refunded 17 Nov CN-000001 27.14 USDT 25.00 EUR" in page
    assert desk.get(url("refund", story.merchant, refund.pk)).status_code == 200


def test_what_is_fixed_later_has_no_amount_yet(desk: Client, story: RefundStory) -> None:
    story.ask(Basis.FIAT)
    assert "USDT, not fixed yet 100.00 EUR" in words(desk.get(url("refunds", story.merchant)))


def search(desk: Client, merchant: Merchant, typed: str) -> int:
    return len(desk.get(url("refunds", merchant), {"q": typed}).context["rows"])


def test_it_is_found_by_its_invoice_its_reference_transaction_address_and_credit_note(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    other = RefundStory(make_merchant(slug="other"))
    theirs = given_back(other, 2_500)
    for typed in ("duarte", "INV-000001", "brand identity", refund.reference, refund.reference.lower(), refund.txid, refund.address, "cn-000001"):
        assert search(desk, story.merchant, typed) == 1, typed
    for typed in ("marlow", "INV-000002", theirs.reference, theirs.txid, "CN-000002", "%", "\0"):
        assert search(desk, story.merchant, typed) == (typed == "\0"), typed


def test_it_is_narrowed_by_payer_token_currency_and_day_each_with_a_way_out(desk: Client, story: RefundStory) -> None:
    story.ask(Basis.OTHER, other_minor=500)
    story.ask(Basis.OTHER, other_minor=500, asset=BTC)
    payer, place = Payer.objects.get(), url("refunds", story.merchant)
    queries = {
        f"?payer={payer.pk}": 2, f"?asset={USDT}": 1, f"?asset={BTC}": 1, "?currency=EUR": 2, "?currency=JPY": 0,
        "?from=2026-11-17&to=2026-11-17": 2, "?from=2026-11-18": 0, "?to=2026-11-16": 0,
    }  # fmt: skip
    assert {query: len(desk.get(place + query).context["rows"]) for query in queries} == queries
    page = words(desk.get(place + f"?payer={payer.pk}&asset={USDT}&currency=EUR&from=2026-11-01&to=2026-11-30"))
    assert [word for word in ("Asked 1 Nov 2026 – 30 Nov 2026", "Ana Duarte", "USDT on Sandbox", "EUR", "Clear") if word not in page] == []
    assert "No refund matches" in words(desk.get(place + "?currency=JPY"))


def test_a_day_is_the_merchants(desk: Client, story: RefundStory) -> None:
    Merchant.objects.update(time_zone="Pacific/Auckland")
    refund = story.ask(Basis.OTHER, other_minor=500)
    Refund.objects.filter(pk=refund.pk).update(created_at=datetime(2026, 11, 17, 11, 30, tzinfo=UTC))  # the 18th there
    place = url("refunds", story.merchant)
    assert [len(desk.get(place + f"?from={day}&to={day}").context["rows"]) for day in ("2026-11-17", "2026-11-18")] == [0, 1]


def test_what_the_url_asks_for_and_cannot_have_is_said_and_left_out(desk: Client, story: RefundStory) -> None:
    story.ask(Basis.OTHER, other_minor=500)
    theirs = Payer.objects.create(merchant=make_merchant(slug="other"), name="Vera Quitéria", email="vera@secret.example")
    page = words(desk.get(url("refunds", story.merchant) + f"?show=x&payer={theirs.pk}&asset=x&currency=x&from=2026-02-30"))
    said = ("status was left out", "payer was left out", "token was left out", "currency was left out", "A date was left out")
    assert [sentence for sentence in said if sentence not in page] == []
    assert "Vera" not in page
    assert "1 refund" in page
    backwards = desk.get(url("refunds", story.merchant) + "?from=2026-12-02&to=2026-12-01")
    assert "The dates were left out: the first is after the last." in words(backwards)
    assert len(backwards.context["rows"]) == 1


def test_a_filter_is_read_back_from_what_it_writes(story: RefundStory) -> None:
    asked = RefundFilter("todo", "ana d", since=NOW.date(), until=NOW.date(), payer=Payer.objects.get(), asset=USDT, currency="EUR")
    written = dict(pair.split("=") for pair in asked.to_query().replace("+", " ").replace("%3A", ":").replace("%2F", "/").split("&"))
    assert RefundFilter.read(written, merchant=story.merchant) == (asked, [])
    assert (asked.is_narrowed, RefundFilter().is_narrowed) == (True, False)


def test_without_any_it_says_where_refunds_begin(desk: Client, merchant: Merchant) -> None:
    page = words(desk.get(url("refunds", merchant)))
    assert "No refunds yet Money goes back from the page of the invoice it came for." in page
    assert "Export CSV" not in page


def test_pages_go_on_without_losing_or_doubling_a_row(desk: Client, story: RefundStory) -> None:
    made = [story.ask(Basis.OTHER, other_minor=100).pk for _each in range(27)]
    first = desk.get(url("refunds", story.merchant))
    second = desk.get(url("refunds", story.merchant) + first.context["older"])
    shown = [row.refund.pk for page in (first, second) for row in page.context["rows"]]
    assert shown == made[::-1]
    assert (len(first.context["rows"]), second.context["older"]) == (25, "")
    back = desk.get(url("refunds", story.merchant) + second.context["newer"])
    assert [row.refund.pk for row in back.context["rows"]] == shown[:25]


def streamed(desk: Client, path: str) -> int:
    """How many queries, with the body read to its end."""
    desk.get(path)
    with CaptureQueriesContext(connection) as seen:
        answer = desk.get(path)
        b"".join(answer.streaming_content) if answer.streaming else None
    return len(seen)


def test_lists_and_files_ask_the_database_as_often_for_three_refunds_as_for_one(desk: Client, story: RefundStory) -> None:
    slug = [story.merchant.slug]
    paths = [
        reverse("refunds", args=slug),
        reverse("refunds", args=slug) + f"?q=duarte&asset={USDT}&currency=EUR&from=2026-11-01",
        reverse("refunds_csv", args=slug),
        reverse("payments_csv", args=slug),
        reverse("invoices", args=slug) + "?totals=1",
        reverse("invoices_csv", args=slug),
        reverse("invoice", args=[*slug, story.invoice.pk]),
        reverse("payer", args=[*slug, Payer.objects.get().pk]),
        reverse("payer_statement", args=[*slug, Payer.objects.get().pk]) + "?from=2026-11-01&to=2026-11-30&currency=EUR",
    ]
    asked = []
    for more in (1, 2):
        for _each in range(more):
            given_back(story, 500)
        asked.append([streamed(desk, path) for path in paths])
    assert asked[0] == asked[1]


def test_nobody_elses_refunds_are_in_the_list_or_the_file(desk: Client, story: RefundStory) -> None:
    given_back(RefundStory(make_merchant(slug="other"), title="Cider press"), 500)
    assert desk.get(url("refunds", story.merchant)).context["rows"] == []
    assert table(desk, url("refunds_csv", story.merchant)) == []
    assert [row for row in table(desk, url("payments_csv", story.merchant)) if row["Title"] == "Cider press"] == []


# --- files ------------------------------------------------------------------------------------------------------
def test_the_file_of_refunds_has_every_stored_figure(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500, reason="=Two proofs", note="+351 210 000 000", deduction_e4=0)
    refunds.note_fee(refund, 21_000)
    (row,) = table(desk, url("refunds_csv", story.merchant))
    assert row == {
        "Asked": "2026-11-17T10:00:25+00:00", "Refund": refund.reference, "State": "Refunded", "Invoice": "INV-000001",
        "Title": "Brand identity, phase 2", "Payer": "Ana Duarte", "Basis": "Another amount", "Deduction in %": "", "Amount": "25.00",
        "Currency": "EUR", "Asset": "USDT", "Network": "Sandbox", "Asset ID": USDT, "Asset amount": "27.140000", "Rate": row["Rate"],
        "Rate source": row["Rate source"], "Rate time": row["Rate time"], "Address": payers_address(), "Address given by": "the payer",
        "Address fixed": "2026-11-17T10:00:25+00:00", "Asked by": "Inês Matos", "Approved by": "Manager",
        "Approved": "2026-11-17T10:00:25+00:00", "Sent": "2026-11-17T10:00:25+00:00", "Transaction": txid_of(refund),
        "Block time": "2026-11-17T10:00:25+00:00", "Refunded": "2026-11-17T10:00:25+00:00", "Fee": "0.000000000000021000", "Fee token": "ETH",
        "Credit note": "CN-000001", "Reason": "'=Two proofs", "Private note": "'+351 210 000 000", "Ended": "", "Why it ended": "",
    }  # fmt: skip
    assert re.fullmatch(r"0\.92\d+", row["Rate"])


def test_the_file_has_the_rows_of_the_list_at_the_same_url(desk: Client, story: RefundStory) -> None:
    one_of_each_state(story)
    for query in ("", "?show=todo", "?show=ended", f"?asset={BTC}"):
        listed = [row.refund.reference for row in desk.get(url("refunds", story.merchant) + query).context["rows"]]
        assert [row["Refund"] for row in table(desk, url("refunds_csv", story.merchant) + query)] == listed
    ended = {row["State"]: row["Why it ended"] for row in table(desk, url("refunds_csv", story.merchant) + "?show=ended")}
    assert ended == {"Cancelled": "Asked for twice", "Rejected": "Agreed otherwise", "Failed": "It was replaced", "Expired": ""}


def test_a_refund_whose_token_left_the_catalogue_is_written_all_the_same(story: RefundStory) -> None:
    refund = story.ask(Basis.OTHER, other_minor=500)
    Refund.objects.filter(pk=refund.pk).update(asset_id="eip155:99/slip44:7")
    (row,) = refund_exports.rows(Refund.objects.all(), zone="UTC")
    assert row[10:14] == ["eip155:99/slip44:7", "eip155:99", "eip155:99/slip44:7", "5420000"]
    assert refund_exports.native("eip155:99") is None
    assert {network: coin.symbol for network in assets.catalogue().networks if (coin := refund_exports.native(network))} != {}


def test_in_the_file_of_payments_what_went_back_is_negative_so_that_a_sum_is_what_stayed(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    story.approved(Basis.OTHER, other_minor=1_000)  # not sent: no money has moved
    pasted = story.approved(Basis.OTHER, other_minor=500)
    refunds.sent(pasted, txid=txid_of(pasted), way="pasted", by=story.owner, now=story.now)
    rows = table(desk, url("payments_csv", story.merchant))
    shown = [(row["Kind"], row["State"], row["Asset"], row["Amount"], row["Value"], row["Refund"], row["Credit note"]) for row in rows]
    pasted.refresh_from_db()
    assert shown == [
        ("refund", "sent", "USDT", "-5.420000", "", pasted.reference, ""),
        ("refund", "final", "USDT", "-27.140000", "-25.00", refund.reference, "CN-000001"),
        ("transfer", "final", "USDT", "108.600000", "100.00", "", ""),
    ]
    back = next(row for row in rows if row["Refund"] == refund.reference)
    assert (back["Transaction"], back["Rate"], back["Invoice"], back["Currency"]) == (txid_of(refund), refund.rate, "INV-000001", "EUR")


def test_a_credit_note_that_was_withdrawn_is_in_no_file(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    refunds.missing(refund, why="", now=story.now)
    assert [row["Credit note"] for row in table(desk, url("refunds_csv", story.merchant))] == [""]
    assert [row["Value"] for row in table(desk, url("payments_csv", story.merchant)) if row["Kind"] == "refund"] == [""]
    confirm(story, refund, block="c" * 64)
    assert [row["Credit note"] for row in table(desk, url("refunds_csv", story.merchant))] == ["CN-000001"]


def test_the_file_of_invoices_says_what_went_back_what_is_on_its_way_and_what_is_left(desk: Client, story: RefundStory) -> None:
    given_back(story, 2_500)
    story.ask(Basis.OTHER, other_minor=1_000)
    (row,) = table(desk, url("invoices_csv", story.merchant))
    assert [row[name] for name in ("Credited", "Refunded", "On its way back", "Left to refund", "Still due")] == [
        "100.00", "25.00", "10.00", "65.00", "0.00",
    ]  # fmt: skip


# --- the invoice ------------------------------------------------------------------------------------------------
def test_the_invoices_page_lists_its_refunds_with_their_sums(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    story.ask(Basis.OTHER, other_minor=1_000)
    refunds.cancel(story.ask(Basis.OTHER, other_minor=300), why="", by=story.owner, now=story.now)
    answer = desk.get(url("invoice", story.merchant, story.invoice.pk))
    page = words(answer)
    assert "100.00 received 25.00 refunded 10.00 on its way back of 100.00 EUR" in page
    assert "25.00 EUR refunded 10.00 EUR on its way back 65.00 EUR left" in page
    assert "27.14 USDT Sandbox Refunded CN-000001 25.00 EUR" in page
    assert "10.85 USDT Sandbox Waiting for an address 10.00 EUR" in page
    assert [(row.badge.key, row.is_live) for row in answer.context["refunds"]] == [("cancelled", False), ("requested", True), ("confirmed", True)]
    assert url("refund", story.merchant, refund.pk) in answer.content.decode()
    assert "Create refund" not in page  # a viewer


def test_who_deals_with_money_finds_the_way_to_a_refund_while_something_is_left(client_as: Any, story: RefundStory) -> None:
    browser, place = client_as(story.owner), url("invoice", story.merchant, story.invoice.pk)
    link = url("refund_create", story.merchant, story.invoice.pk)
    assert browser.get(place).content.decode().count(f'href="{link}"') >= 1
    given_back(story, 10_000)
    assert f'href="{link}"' not in browser.get(place).content.decode()


def test_a_withdrawn_credit_note_is_said_to_be_so_and_confirming_is_counted(desk: Client, story: RefundStory) -> None:
    refund = given_back(story, 2_500)
    refunds.missing(refund, why="", now=story.now)
    refunds.found(refund, Seen(txid_of(refund), 0, 8, "c" * 64, story.now, confirmations=1), now=story.now)
    refund.refresh_from_db()
    page = words(desk.get(url("invoice", story.merchant, story.invoice.pk)))
    assert f"Sent 1 of {refund.confirmations_needed} CN-000001 withdrawn 25.00 EUR" in page
    assert "CN-000001 withdrawn" in words(desk.get(url("refunds", story.merchant)))


def test_a_shortfall_is_flagged(desk: Client, story: RefundStory) -> None:
    given_back(story, 2_500)
    Invoice.objects.update(shortfall_minor=2_500)
    assert "25.00 EUR more goes back than came." in words(desk.get(url("invoice", story.merchant, story.invoice.pk)))


@pytest.mark.parametrize(
    ("refunded", "returning", "credited", "key", "cell"),
    [
        (0, 0, 10_000, "paid", "–"),
        (2_500, 0, 10_000, "paid", "25.00 refunded"),
        (2_500, 1_000, 10_000, "paid", "10.00 going back"),
        (10_000, 0, 10_000, "refunded", "100.00 refunded"),
        (0, 0, 11_000, "overpaid", "10.00 over"),
        (0, 1_000, 11_000, "overpaid", "10.00 going back"),
        (1_000, 0, 11_000, "paid", "10.00 refunded"),
    ],
)
def test_the_row_of_an_invoice_says_how_much_went_back(
    desk: Client, story: RefundStory, refunded: int, returning: int, credited: int, key: str, cell: str
) -> None:
    over = credited - refunded > 10_000
    Invoice.objects.update(refunded_minor=refunded, returning_minor=returning, credited_minor=credited, is_overpaid=over)
    answer = desk.get(url("invoices", story.merchant))
    assert standing.standing(story.fresh(), story.now).key == key
    shown = re.search(r'<td class="cell-due num">(.*?)</td>', answer.content.decode(), re.S)
    assert shown and re.sub(r"<[^>]+>", "", shown[1]).strip() == cell
    assert len(desk.get(url("invoices", story.merchant) + f"?show={key}").context["page"].rows) == 1


def test_the_totals_of_the_list_say_what_was_refunded(desk: Client, story: RefundStory) -> None:
    given_back(story, 2_500)
    assert "Received 100.00 EUR Refunded 25.00 EUR" in words(desk.get(url("invoices_totals", story.merchant)))


def test_a_void_invoice_says_what_of_its_money_is_left(desk: Client, story: RefundStory) -> None:
    Invoice.objects.update(status="void", voided_at=story.now, void_reason="A mistake", paid_at=None)
    place = url("invoice", story.merchant, story.invoice.pk)
    assert "100.00 EUR came for it and stays on it." in words(desk.get(place))
    given_back(story, 2_500)
    assert "100.00 EUR came for it. 25.00 EUR was refunded. 75.00 EUR stays on it." in words(desk.get(place))


# --- the payer's pages ------------------------------------------------------------------------------------------
def test_the_payers_own_pages_say_what_went_back_and_what_is_on_its_way(client: Client, story: RefundStory) -> None:
    given_back(story, 2_500)
    refund = story.ask(Basis.OTHER, other_minor=1_000)
    document = words(client.get(reverse("public_invoice", args=[story.invoice.public_id])))
    paid = words(client.get(reverse("checkout", args=[story.invoice.public_id])))
    assert "25.00 EUR refunded" in document
    assert "10.00 EUR is going back to you. The mail from Harbour & Pine says how." in document
    assert "Refunded 25.00 EUR" in paid
    assert "10.00 EUR is going back to you." in paid
    assert refund.nonce not in document + paid


def test_an_overpaid_invoice_does_not_say_that_nothing_too_much_arrived_while_it_is_going_back(client: Client, story: RefundStory) -> None:
    Invoice.objects.update(credited_minor=11_000, returning_minor=1_000, is_overpaid=True)
    for name in ("public_invoice", "checkout"):
        page = words(client.get(reverse(name, args=[story.invoice.public_id])))
        assert "more than asked" not in page
        assert "10.00 EUR is going back to you." in page


def test_a_void_invoice_stops_sending_its_payer_to_ask_once_all_has_gone_back(client: Client, story: RefundStory) -> None:
    Invoice.objects.update(status="void", voided_at=story.now, paid_at=None)
    for name in ("public_invoice", "checkout"):
        assert "100.00 EUR was received for it. Ask Harbour & Pine about it." in words(client.get(reverse(name, args=[story.invoice.public_id])))
    given_back(story, 10_000)
    for name in ("public_invoice", "checkout"):
        page = words(client.get(reverse(name, args=[story.invoice.public_id])))
        assert ("100.00 EUR refunded" in page, "Ask Harbour & Pine about it" in page) == (True, False)


# --- the payer's account ----------------------------------------------------------------------------------------
def test_a_refund_of_what_was_billed_and_its_credit_note_leave_the_balance_as_it_was(story: RefundStory, ana: Payer) -> None:
    given_back(story, 2_500)
    made = statement.of(ana, "EUR", since=NOW - timedelta(days=1), until=NOW + timedelta(days=1))
    shown = [(line.move.kind.value, line.move.number, line.move.how, line.move.minor, line.balance_minor) for line in made.lines]
    assert shown == [
        ("invoice", "INV-000001", "", 10_000, 10_000),
        ("payment", "INV-000001", "USDT on Sandbox", -10_000, 0),
        ("credit_note", "INV-000001", "CN-000001", -2_500, -2_500),
        ("refund", "INV-000001", "USDT on Sandbox", 2_500, 0),
    ]
    assert (made.credit_notes_minor, made.refunded_minor, made.closing_minor) == (2_500, 2_500, 0)


def test_a_returned_surplus_has_no_credit_note_and_brings_the_balance_to_nothing(merchant: Merchant, ana: Payer) -> None:
    story = RefundStory(merchant, paid=False, payer=ana)
    story.pay(units=story.quote().amount_units * 11 // 10)
    story.blocks(5)
    confirm(story, story.approved(Basis.SURPLUS))
    made = statement.of(ana, "EUR", since=NOW - timedelta(days=1), until=NOW + timedelta(days=1))
    assert [(line.move.kind.value, line.balance_minor) for line in made.lines] == [("invoice", 10_000), ("payment", -1_000), ("refund", 0)]


def test_voiding_takes_back_what_no_credit_note_has_taken_back_yet(merchant: Merchant, ana: Payer) -> None:
    story = RefundStory(merchant, paid=False, payer=ana)
    story.pay(units=story.quote().amount_units // 2)
    story.blocks(5)
    given_back(story, 5_000)
    lifecycle.void(story.fresh(), by=story.owner, reason="", now=story.now)
    days = {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
    made = statement.of(ana, "EUR", **days)
    assert [(line.move.kind.value, line.move.minor, line.balance_minor) for line in made.lines] == [
        ("invoice", 10_000, 10_000),
        ("payment", -5_000, 5_000),
        ("credit_note", -5_000, 0),
        ("refund", 5_000, 5_000),
        ("void", -5_000, 0),
    ]
    assert statement.of(ana, "EUR", since=NOW + timedelta(days=1), until=NOW + timedelta(days=2)).opening_minor == 0


def test_what_is_not_confirmed_or_withdrawn_again_is_in_no_account(story: RefundStory, ana: Payer) -> None:
    refund = given_back(story, 2_500)
    refunds.missing(refund, why="", now=story.now)
    made = statement.of(ana, "EUR", since=NOW - timedelta(days=1), until=NOW + timedelta(days=1))
    assert [line.move.kind.value for line in made.lines] == ["invoice", "payment"]


def test_the_statement_says_it_in_words_on_the_page_and_on_paper(desk: Client, story: RefundStory, ana: Payer) -> None:
    given_back(story, 2_500)
    asked = "?from=2026-11-01&to=2026-11-30&currency=EUR"
    page = words(desk.get(url("payer_statement", story.merchant, ana.pk) + asked))
    paper = desk.get(url("payer_statement_pdf", story.merchant, ana.pk) + asked)
    text = " ".join(PdfReader(io.BytesIO(paper.content)).pages[0].extract_text().split())
    for said in (page, text):
        assert "Credit note CN-000001 for INV-000001 −25.00 −25.00" in said.replace("Balance ", "")
        assert "Refunded on INV-000001, USDT on Sandbox 25.00 0.00" in said.replace("Balance ", "")
    assert "Credit notes −25.00 Refunded 25.00 Due 0.00 EUR" in text


def test_the_payers_totals_say_what_went_back(desk: Client, story: RefundStory, ana: Payer) -> None:
    given_back(story, 2_500)
    story.ask(Basis.OTHER, other_minor=1_000)
    (sums,) = payers.totals(ana, now=story.now)
    assert (sums.received_minor, sums.refunded_minor, sums.returning_minor, sums.on_void_minor) == (10_000, 2_500, 1_000, 0)
    page = words(desk.get(url("payer", story.merchant, ana.pk)))
    assert "Received 100.00 EUR 25.00 of it refunded 10.00 on its way back" in page


def test_money_on_a_void_invoice_is_what_is_still_there(story: RefundStory, ana: Payer) -> None:
    Invoice.objects.update(status="void", voided_at=story.now, paid_at=None)
    given_back(story, 2_500)
    (sums,) = payers.totals(ana, now=story.now)
    assert (sums.on_void_minor, sums.refunded_minor, sums.received_minor) == (7_500, 0, 0)


# --- everywhere the same ----------------------------------------------------------------------------------------
def test_the_sums_of_the_list_are_those_of_the_invoices(desk: Client, story: RefundStory) -> None:
    one_of_each_state(story)
    sums = refund_filters.totals(RefundFilter(), story.merchant)
    held = story.fresh()
    assert [(row.currency, row.refunded_minor, row.returning_minor) for row in sums.figures] == [("EUR", held.refunded_minor, held.returning_minor)]
    assert (held.refunded_minor, held.returning_minor, held.left_minor) == (100, 400, 9_500)
    assert credit_notes.total(held) == 100
    assert set(LIVE) == {"requested", "claimed", "approved", "sent", "confirmed"}
