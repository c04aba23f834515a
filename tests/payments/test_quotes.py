"""Quotes: the exact amount, one live per asset, and what they refuse."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing import lifecycle
from merchants import assets
from merchants.models import Merchant
from payments import quotes, rates
from payments.models import Quote, ReceiveAddress
from payments.rates.sandbox import FixedRates
from tests.factories import NOW, make_draft, publish
from tests.payments.money import BTC, ETH, USDT, Story
from tests.payments.pretend import AWAY_USDC, LiveStory, Node, fixed_wallet, home, living, own_wallet
from tests.payments.pretend import ETH as ETH_AT_HOME

__all__ = ["home"]


@pytest.mark.parametrize(
    ("asset_id", "fiat_minor", "currency", "rate", "units"),
    [
        (USDT, 10_000, "EUR", "0.92", 108_700_000),  # 108.695652… → 108.70
        (USDT, 100, "USD", "1", 1_000_000),  # exact: nothing is added
        (USDT, 1, "USD", "3", 10_000),  # a third of a cent is still one payable unit, 0.01
        (ETH, 428_040, "EUR", "3208.10313076", 1_334_246_390_000_000_000),
        (BTC, 618_000, "JPY", "15376119.4", 4_019_220),  # no minor unit
        (BTC, 1_500, "KWD", "31601.2", 4_747),  # three digits: 1.500 KWD
    ],
)
def test_the_amount_is_rounded_up_to_the_payable_unit(asset_id: str, fiat_minor: int, currency: str, rate: str, units: int) -> None:
    assert quotes.amount_for(fiat_minor, rate=Decimal(rate), currency=currency, asset=assets.asset(asset_id)) == units


@given(st.integers(1, 10**12), st.decimals("0.000001", "999999", places=6), st.sampled_from([USDT, ETH, BTC]))
def test_the_amount_covers_the_price_and_one_unit_less_would_not(fiat_minor: int, rate: Decimal, asset_id: str) -> None:
    asset = assets.asset(asset_id)
    units = quotes.amount_for(fiat_minor, rate=rate, currency="EUR", asset=asset)
    worth = Fraction(units, 10**asset.decimals) * Fraction(rate) * 100
    step = Fraction(asset.payable_unit, 10**asset.decimals) * Fraction(rate) * 100
    assert units % asset.payable_unit == 0
    assert worth >= fiat_minor > worth - step


@pytest.mark.django_db
def test_asking_again_returns_the_live_quote(merchant: Merchant) -> None:
    story = Story(merchant)
    first = story.quote()
    story.now += timedelta(minutes=14)
    assert story.quote() == first
    story.now += timedelta(minutes=1)
    second = story.quote()
    assert second.pk != first.pk
    assert second.receive_address_id == first.receive_address_id
    assert list(Quote.objects.order_by("id").values_list("status", flat=True)) == ["expired", "live"]


@pytest.mark.django_db
def test_a_quote_keeps_its_rate_source_and_time(merchant: Merchant) -> None:
    quote = Story(merchant).quote()
    assert (quote.rate, quote.rate_source, quote.rate_at, quote.locked_until) == ("0.920810313076", "Sandbox", NOW, NOW + timedelta(minutes=15))
    assert (quote.amount_units, quote.fiat_minor) == (108_600_000, 10_000)


@pytest.mark.django_db
def test_a_quote_knows_the_newest_block_of_its_network_then(home: Node) -> None:
    own_wallet(living())
    story = LiveStory(Merchant.objects.get(slug="live"), home)
    assert story.quote().from_height is None
    story.look()
    assert (story.quote(ETH_AT_HOME).from_height, story.quote(AWAY_USDC).from_height) == (9, None)


@pytest.mark.django_db
def test_two_invoices_never_share_an_address_and_two_quotes_of_one_do(merchant: Merchant) -> None:
    one, two = Story(merchant), Story(merchant)
    one.quote(USDT)
    one.quote(ETH)
    two.quote(USDT)
    assert ReceiveAddress.objects.count() == 2
    assert len(set(ReceiveAddress.objects.values_list("address", flat=True))) == 2


@pytest.mark.django_db
def test_what_is_confirming_is_not_asked_for_again(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=story.quote().amount_units // 2)
    story.look()
    assert story.quote().fiat_minor == 5_000


@pytest.mark.django_db
def test_a_paid_void_or_draft_invoice_is_not_quoted(merchant: Merchant) -> None:
    story = Story(merchant)
    lifecycle.void(story.invoice, by=None, reason="Wrong client", now=NOW)
    with pytest.raises(quotes.CannotQuote, match="Nothing is due"):
        story.quote()
    with pytest.raises(quotes.CannotQuote):
        quotes.ask(make_draft(merchant), USDT, now=NOW)


@pytest.mark.django_db
def test_only_the_assets_frozen_on_the_invoice_are_quoted(merchant: Merchant) -> None:
    story = Story(merchant, all_assets=False, asset_ids=[USDT])
    Merchant.objects.update(accepted_assets=[ETH])
    assert [option.asset.id for option in quotes.options(story.fresh(), now=NOW)] == [USDT]
    with pytest.raises(quotes.CannotQuote, match="cannot be paid with that token"):
        story.quote(ETH)


@pytest.mark.django_db
def test_no_price_means_no_quote_for_that_asset_and_the_others_stay(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"ETH": Decimal(3000)})])
    story = Story(merchant)
    shown = {option.asset.symbol: option.unavailable for option in quotes.options(story.invoice, now=NOW)}
    assert shown == {"USDT": "There is no price for USDT in EUR now.", "ETH": "", "BTC": "There is no price for BTC in EUR now."}
    with pytest.raises(quotes.CannotQuote, match="no price for USDT"):
        story.quote(USDT)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_price_that_is_not_above_zero_is_no_price(price: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"ETH": Decimal(price)})])
    with pytest.raises(rates.NoRate):
        rates.current(assets.asset(ETH), "EUR", now=NOW)


def test_a_price_older_than_the_limit_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stale(FixedRates):
        def rate(self, asset, currency, *, now):  # type: ignore[no-untyped-def]
            found = super().rate(asset, currency, now=now)
            return found and rates.Rate(found.value, found.currency, found.source, now - timedelta(minutes=10, seconds=1))

    monkeypatch.setitem(rates.sources, "sandbox", [Stale()])
    with pytest.raises(rates.NoRate):
        rates.current(assets.asset(ETH), "EUR", now=NOW)


@pytest.mark.django_db
def test_publishing_refuses_a_total_that_no_token_could_pay(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({})])
    with pytest.raises(lifecycle.Refused, match="no price for USDT in EUR"):
        publish(make_draft(merchant), now=NOW)


@pytest.mark.django_db
def test_a_late_expiry_run_ends_quotes_once(merchant: Merchant) -> None:
    story = Story(merchant)
    story.quote(USDT)
    story.quote(ETH)
    assert quotes.expire(now=NOW + timedelta(minutes=16)) == 2
    assert quotes.expire(now=NOW + timedelta(minutes=16)) == 0
    assert quotes.live(story.invoice, now=NOW + timedelta(minutes=16)) is None
    latest = quotes.latest(story.invoice)
    assert latest is not None and latest.asset_id == ETH


@pytest.mark.django_db
def test_publishing_without_a_wallet_says_to_connect_one(home: Node) -> None:
    merchant = living()
    with pytest.raises(lifecycle.Refused, match="No wallet of yours receives ETH on Homechain"):
        publish(make_draft(merchant), now=NOW)
    own_wallet(merchant)
    assert publish(make_draft(merchant), now=NOW).status == "open"


@pytest.mark.django_db
def test_a_token_that_no_wallet_receives_any_more_cannot_be_chosen(home: Node) -> None:
    wallet = own_wallet(living())
    story = LiveStory(wallet.merchant, home)
    assert [option.unavailable for option in quotes.options(story.invoice, now=NOW)] == ["", "", ""]
    wallet.retired_at = NOW
    wallet.save()
    shown = [option.unavailable for option in quotes.options(story.fresh(), now=NOW)]
    assert shown[0] == "Harbour & Pine cannot receive ETH on Homechain now. Choose another."
    with pytest.raises(quotes.CannotQuote, match="cannot receive USDC on Homechain now"):
        story.quote()


@pytest.mark.django_db
class TestCoinThatIsFoundByBalances:
    """At one address for all payers, its balance does not say who paid."""

    @pytest.fixture(autouse=True)
    def by_balances(self, home: Node, settings: Any) -> None:
        settings.NETWORK_OVERRIDES = {"home": {"native": "balances"}}

    def test_it_is_not_offered_at_a_fixed_address(self, home: Node) -> None:
        story = LiveStory(fixed_wallet(living()).merchant, home)
        shown = [option.unavailable for option in quotes.options(story.invoice, now=NOW)]
        assert shown == ["Harbour & Pine cannot receive ETH on Homechain now. Choose another.", "", ""]
        with pytest.raises(quotes.CannotQuote, match="cannot receive ETH on Homechain now"):
            story.quote(ETH_AT_HOME)
        assert story.quote().amount_units == 108_700_000

    def test_it_is_offered_at_addresses_of_a_key(self, home: Node) -> None:
        story = LiveStory(own_wallet(living()).merchant, home)
        assert [option.unavailable for option in quotes.options(story.invoice, now=NOW)] == ["", "", ""]

    def test_an_invoice_in_nothing_else_is_not_published(self, home: Node) -> None:
        merchant = living(accepted_assets=[ETH_AT_HOME])
        fixed_wallet(merchant)
        with pytest.raises(lifecycle.Refused, match=r"^ETH on Homechain needs an extended public key\.$"):
            publish(make_draft(merchant), now=NOW)


@pytest.mark.django_db
def test_a_network_that_was_switched_off_is_not_offered(home: Node, settings: Any) -> None:
    own_wallet(living())
    story = LiveStory(Merchant.objects.get(slug="live"), home)
    settings.NETWORK_OVERRIDES = {"away": {"enabled": False}}
    assert [option.asset.network.name for option in quotes.options(story.invoice, now=NOW)] == ["Homechain", "Homechain"]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 3])
def test_the_tokens_cost_two_queries_however_many(home: Node, count: int, django_assert_num_queries: Any) -> None:
    own_wallet(living())
    ids = [asset.id for asset in assets.catalogue().assets.values()][:count]
    story = LiveStory(Merchant.objects.get(slug="live"), home, all_assets=False, asset_ids=ids)
    invoice = type(story.invoice).objects.select_related("merchant").get()
    with django_assert_num_queries(2):
        assert len(quotes.options(invoice, now=NOW)) == count
