"""The CCPayment format: a receiver that was written for their V1 webhooks takes ours."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from invoicing.models import Invoice
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import backoff, courier, fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints, formats, signing
from notifications.webhooks.formats import ccpayment
from payments import recorded
from tests.factories import NOW, make_draft, publish
from tests.notifications import hook_stories
from tests.payments.money import Story

# Synthetic credentials; C was worked out with openssl and sha256sum too.
APP_ID, SECRET, TIMESTAMP = "TESTAPPID0000001", "test-app-secret-0001", "1700000000"
D = (
    '{"pay_status":"success","order_type":"Invoice","record_id":"R1","order_id":"O1","product_price":"18","denominated_currency":"USD",'
    '"extend":{"invoice_id":"I1","user_email":"a@example.com"}}'
)
E = '{"type":"ApiDeposit","msg":{"recordId":"R1","orderId":"O1","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}'
VECTORS = {
    "": "ae5d2e56a9b4f6b8506532ffbc4cee092db6401148586e9befb3be13ed1d07b5",
    "{}": "6c428050689ec403d717cbadd230db5f2d217892d4f3affff986eeb642bd14a8",
    '{"coinId":1280}': "176eae9bc580e5b7d0b354cf5f2274e7ed04b9136c4ddde80ad6653021674f81",
    D: "e1f4dcbefa47eed84907f2b0a677ae78f3d2925fc8a9dd463a191dc10cafea5c",
    E: "191b520dac51cbc9e97f72a6f516eee56cdce7ad55efb2d79aff8ce3d393f31f",
    '{"product": "Café/é", "price": "1"}': "7de83f1f860d189441b5fd281ae10f694710fddea2ec67100bc4299b2ae4820b",
}
INVOICE_FIELDS = [
    *("pay_status", "order_type", "record_id", "order_id", "product_price", "order_amount", "fiat_rate", "denominated_currency"),
    *("paid_amount", "credit_amount", "token_rate", "chain", "contract", "crypto", "txid", "network_fee", "service_fee", "memo", "extend"),
]
REFUND_FIELDS = [
    *("pay_status", "order_type", "record_id", "amount", "net_receivable", "network_fee", "network_crypto", "network_coin_id"),
    *("chain", "contract", "crypto", "to_address", "memo", "txid", "merchant_order_id"),
]


@pytest.mark.parametrize("body", VECTORS, ids="ABCDEF")
def test_the_published_way_of_signing_gives_the_known_signatures(body: str) -> None:
    assert signing.ccpayment_sign(app_id=APP_ID, secret=SECRET, timestamp=TIMESTAMP, body=body) == VECTORS[body]


@pytest.mark.parametrize(("body", "size"), [(D, 188), (E, 138), ('{"product": "Café/é", "price": "1"}', 37)])
def test_the_vectors_have_the_bytes_they_were_worked_out_from(body: str, size: int) -> None:
    assert len(body.encode()) == size


@pytest.fixture
def endpoint_and_secret(merchant: Merchant, owner: User, receiver: HTTPServer) -> tuple[Endpoint, str]:
    return endpoints.add(merchant, url=receiver.url_for("/hooks"), format="ccpayment", by=owner, now=NOW)


def posted(endpoint: Endpoint) -> list[dict[str, Any]]:
    hook_stories.fan_out()
    return [json.loads(body) for body in Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("payload", flat=True)]


@pytest.mark.django_db
class TestInvoices:
    def test_a_payment_is_told_once_it_is_final_with_every_field_in_their_order(self, endpoint: Endpoint, merchant: Merchant) -> None:
        story = Story(merchant)
        txid = story.pay()
        story.look()
        assert posted(endpoint) == []
        story.blocks(5)
        (told,) = posted(endpoint)

        transfer = story.transfers()[0]
        assert list(told) == INVOICE_FIELDS
        assert told == {
            "pay_status": "success",
            "order_type": "Invoice",
            "record_id": f"transfer_{transfer.pk}",
            "order_id": str(story.invoice.pk),
            "product_price": "100",
            "order_amount": "108.6",
            "fiat_rate": "0.920810313076",
            "denominated_currency": "EUR",
            "paid_amount": "108.6",
            "credit_amount": "108.6",
            "token_rate": "1",
            "chain": "SANDBOX",
            "contract": "usdt",
            "crypto": "USDT",
            "txid": txid,
            "network_fee": "0",
            "service_fee": "0",
            "memo": "",
            "extend": {"invoice_id": "INV-000001", "user_email": "ana@duarte.example"},
        }

    def test_two_payments_of_one_invoice_are_two_records_of_one_order(self, endpoint: Endpoint, merchant: Merchant) -> None:
        story = Story(merchant)
        story.pay(units=43_440_000)
        story.blocks(5)
        story.pay()
        story.blocks(5)
        one, two = posted(endpoint)

        assert (one["order_id"], one["paid_amount"], two["paid_amount"]) == (two["order_id"], "43.44", "65.16")
        assert one["record_id"] != two["record_id"]

    def test_what_its_network_takes_back_and_brings_again_keeps_its_record(self, endpoint: Endpoint, merchant: Merchant) -> None:
        story = Story(merchant)
        story.pay()
        story.blocks(5)
        hook_stories.sandbox.reorg(5, now=story.now)
        story.blocks(8)

        assert story.kinds().count("payment.confirmed") == 2
        assert len({body["record_id"] for body in posted(endpoint)}) == 1

    def test_money_that_is_held_is_told_when_a_member_has_decided(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
        story = hook_stories.paid_too_late(merchant, owner, decided="")
        assert story.kinds()[-1] == "payment.confirmed"
        assert posted(endpoint) == []
        hook_stories.held.decide(story.transfers()[0], "today", by=owner, now=story.now)
        (told,) = posted(endpoint)

        assert (told["pay_status"], told["paid_amount"], told["record_id"]) == ("success", "108.6", f"transfer_{story.transfers()[0].pk}")

    def test_money_that_a_member_assigns_is_told_of_its_invoice(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
        hook_stories.of_no_invoice(merchant, owner)
        (told,) = posted(endpoint)

        assert (told["order_type"], told["extend"]["invoice_id"], told["txid"]) == ("Invoice", "INV-000001", "loose-0")

    def test_money_that_is_assigned_before_it_is_final_is_told_when_it_is(self, endpoint: Endpoint, merchant: Merchant) -> None:
        seen = {"transfer": {"status": "seen", "credit": "1.00"}, "invoice": {"id": 1}}
        assert ccpayment.body(Event(kind="payment.assigned", facts=seen)) is None

    def test_what_was_recorded_by_hand_is_no_payment_of_theirs(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
        invoice = publish(make_draft(merchant))
        recorded.record(invoice, way="cash", amount_minor=180_000, paid_at=NOW, note="", form_key="k" * 43, by=owner, now=NOW)

        assert Event.objects.filter(kind="invoice.paid").count() == 1
        assert posted(endpoint) == []

    def test_an_invoice_without_webhooks_is_not_told_of(self, endpoint: Endpoint, merchant: Merchant) -> None:
        story = Story(merchant, notify_webhook=False)
        story.pay()
        story.blocks(5)
        assert posted(endpoint) == []


TRANSFER = {
    "id": 7,
    "network": "eip155:1",
    "asset": "eip155:1/slip44:60",
    "symbol": "ETH",
    "amount": "0.009640000000000000",
    "txid": "0xabc",
    "place": 0,
    "status": "final",
    "credit": "18.00",
    "rate": "1867.69",
    "per_usd": "1",
}
FACTS = {"invoice": {"id": 3, "number": "INV-000003", "total": "18.00", "currency": "USD", "payer": {"email": "b@example.com"}}, "transfer": TRANSFER}


def told(**transfer: Any) -> dict[str, Any]:
    found = ccpayment.body(Event(kind="payment.confirmed", facts=FACTS | {"transfer": TRANSFER | transfer}))
    assert found is not None
    return found


def test_the_figures_of_their_own_sample() -> None:
    """18 USD at 1,867.69 USD for one ETH, to 18 decimals."""
    body = told()
    assert (body["product_price"], body["fiat_rate"], body["token_rate"], body["order_amount"]) == ("18", "1", "1867.69", "0.009637573687282151")
    assert (body["paid_amount"], body["chain"], body["contract"]) == ("0.00964", "ETH", "")


def test_the_price_of_the_token_is_in_dollars_and_the_two_rates_make_the_one_that_counted() -> None:
    body = told(rate="1719.75", per_usd="0.9208")
    assert (body["fiat_rate"], body["token_rate"]) == ("0.9208", "1867.669417897480451781")
    without = told(rate="1719.75", per_usd=None)
    assert (without["fiat_rate"], without["token_rate"]) == ("1", "1719.75")


def test_an_amount_due_has_no_more_decimals_than_the_token() -> None:
    assert told(amount="19.546800", rate="0.920810313076")["order_amount"] == "19.548"


@pytest.mark.parametrize(
    ("network", "asset", "chain", "contract"),
    [
        ("eip155:56", "eip155:56/erc20:0x55d398326f99059fF775485246999027B3197955", "BSC", "0x55d398326f99059fF775485246999027B3197955"),
        ("tron:0x2b6653dc", "tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "TRX", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
        ("bip122:000000000019d6689c085ae165831e93", "bip122:000000000019d6689c085ae165831e93/slip44:0", "BTC", ""),
        ("eip155:999", "eip155:999/slip44:60", "EIP155:999", ""),
    ],
)
def test_chains_go_by_their_names_and_contracts_stand_alone(network: str, asset: str, chain: str, contract: str) -> None:
    body = told(network=network, asset=asset)
    assert (body["chain"], body["contract"]) == (chain, contract)


def test_money_that_only_a_balance_shows_has_no_transaction() -> None:
    assert told(txid="balance:0x4f2B7c1EaD93b0C5e1d08A7724fCbb19C0A6d3e8")["txid"] == ""


def test_a_payment_from_before_payments_had_numbers_goes_by_its_transaction() -> None:
    old = {name: value for name, value in TRANSFER.items() if name != "id"}
    body = ccpayment.body(Event(kind="payment.confirmed", facts=FACTS | {"transfer": old}))
    assert body is not None
    assert body["record_id"] == "0xabc_0"


@pytest.mark.django_db
class TestRefunds:
    def test_a_refund_is_told_when_it_has_arrived_and_when_it_failed(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
        hook_stories.refunded_and_taken_back(merchant, owner)
        paid, arrived = posted(endpoint)

        assert list(arrived) == REFUND_FIELDS
        assert arrived | {"record_id": "", "merchant_order_id": "", "to_address": ""} == {
            "pay_status": "success",
            "order_type": "Refund",
            "record_id": "",
            "amount": "108.6",
            "net_receivable": "108.6",
            "network_fee": "0",
            "network_crypto": "USDT",
            "network_coin_id": "sandbox:harbour/token:usdt",
            "chain": "SANDBOX",
            "contract": "usdt",
            "crypto": "USDT",
            "to_address": "",
            "memo": "",
            "txid": "a" * 64,
            "merchant_order_id": "",
        }
        assert arrived["merchant_order_id"] == paid["order_id"]
        assert arrived["record_id"].startswith("refund_")
        assert arrived["to_address"].startswith("sbx")

    def test_of_the_other_steps_nothing_is_told(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
        hook_stories.refunds_that_end_otherwise(merchant, owner)
        refunds = [body["pay_status"] for body in posted(endpoint) if body["order_type"] == "Refund"]

        assert Event.objects.filter(kind__startswith="refund.").count() > 10
        assert refunds == ["failed"]


@pytest.mark.django_db
class TestDelivering:
    @pytest.fixture
    def waiting(self, endpoint: Endpoint, merchant: Merchant, owner: User) -> Delivery:
        return endpoints.test(endpoint, kind="payment.confirmed", by=owner, now=clock.now())

    def test_it_is_signed_as_their_receivers_check_it(self, endpoint_and_secret: Any, waiting: Delivery, receiver: HTTPServer) -> None:
        receiver.expect_oneshot_request("/hooks", method="POST").respond_with_data("Success")
        courier.round_of("webhook", now=clock.now())

        [(request, _response)] = receiver.log
        sent, app_id = request.get_data(), waiting.merchant.application.app_id
        assert request.headers["Content-Type"] == "application/json; charset=utf-8"
        assert request.headers["Appid"] == app_id
        assert len(request.headers["Timestamp"]) == 10
        assert abs(clock.now().timestamp() - int(request.headers["Timestamp"])) < 60
        by_hand = hashlib.sha256(app_id.encode() + endpoint_and_secret[1].encode() + request.headers["Timestamp"].encode() + sent).hexdigest()
        assert request.headers["Sign"] == by_hand
        assert "webhook-signature" not in request.headers
        waiting.refresh_from_db()
        assert (sent, waiting.status) == (waiting.payload.encode(), "sent")

    @pytest.mark.parametrize(("body", "status"), [("ok", 200), ("success", 201), ("", 200), ("success", 500)])
    def test_anything_but_200_with_success_in_it_is_tried_again_after_their_first_delay(
        self, waiting: Delivery, receiver: HTTPServer, body: str, status: int
    ) -> None:
        receiver.expect_oneshot_request("/hooks").respond_with_data(body, status=status)
        now = clock.now()
        courier.round_of("webhook", now=now)
        waiting.refresh_from_db()

        assert waiting.status == "queued"
        assert timedelta(seconds=30) <= waiting.next_at - now < timedelta(seconds=40)

    @pytest.mark.parametrize("body", [b"success", b"Success", b"SUCCESS", b'{"msg":"success"}'])
    def test_success_counts_in_any_case(self, body: bytes) -> None:
        assert formats.WIRES["ccpayment"].is_received(200, body)


@pytest.mark.django_db
def test_a_new_secret_signs_alone_as_there_is_room_for_one_signature(endpoint_and_secret: Any, owner: User, merchant: Merchant) -> None:
    endpoint, old = endpoint_and_secret
    new = endpoints.rotate_secret(endpoint, by=owner, now=NOW)
    found = Endpoint.objects.get(pk=endpoint.pk)

    assert found.old_secrets == []
    assert endpoints.keys_of(found, now=NOW) == [new]
    assert (len(old), len(new), old == new) == (64, 64, False)


def test_their_six_delays() -> None:
    waits = [backoff.wait(formats.WIRES["ccpayment"].schedule, tries) for tries in range(1, 8)]
    assert [wait and wait.total_seconds() for wait in waits] == [30, 90, 210, 450, 930, 1890, None]


@pytest.mark.django_db
def test_an_endpoint_of_each_format_gets_its_own_of_one_event(endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
    other = endpoints.add(merchant, url="https://hooks.example/", by=owner, now=NOW)[0]
    story = Story(merchant)
    story.pay()
    story.blocks(5)
    fanout.run(story.now)
    of_both = Delivery.objects.filter(template="payment.confirmed")

    assert sorted(of_both.values_list("endpoint", flat=True)) == [endpoint.pk, other.pk]
    assert "pay_status" in of_both.get(endpoint=endpoint).payload
    assert '"type":"payment.confirmed"' in of_both.get(endpoint=other).payload
    assert Invoice.objects.count() == 1
