"""What operators and members see of prices: the list in admin, forgetting a price, what needs attention."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from invoicing import attention
from merchants import assets
from merchants.models import Merchant
from payments import rates
from payments.models import Price
from tests.factories import NOW, PASSWORD, add_member, make_draft, make_merchant, make_user
from tests.payments.prices import set_price, set_prices

pytestmark = pytest.mark.django_db

LIST = reverse("admin:payments_price_changelist")
MINUTE = timedelta(minutes=1)
ETH = "eip155:1/slip44:60"
USDT = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
APART = "The sources do not agree: Kraken 2790, Coinbase 2000."


@pytest.fixture
def operator():
    user = make_user("op@quittance.example", name="Operator", password=PASSWORD, is_staff=True)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})
    return user


@pytest.fixture
def live() -> Merchant:
    return make_merchant(is_test=False, currency="EUR", accepted_assets=[ETH, USDT])


# --- admin ------------------------------------------------------------------------------------------------------
def test_operators_read_every_price_and_change_none(client_as, operator) -> None:
    row = set_price("ETH", "EUR", "2790.12", at=NOW, refused=APART)
    desk = client_as(operator)
    page = desk.get(LIST).content.decode()
    assert all(text in page for text in ("2790.12", "Kraken, Coinbase", APART))
    assert desk.get(f"{LIST}?refused__isempty=0").status_code == 200
    assert desk.post(reverse("admin:payments_price_change", args=[row.pk]), {"value": "1", "refused": ""}).status_code == 403
    assert desk.post(reverse("admin:payments_price_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert desk.get(reverse("admin:payments_price_add")).status_code == 403
    row.refresh_from_db()
    assert (row.value, row.refused) == ("2790.12", APART)


def test_forgetting_a_price_takes_that_row_alone_and_is_on_the_record(client_as, operator) -> None:
    row = set_price("ETH", "EUR", "2790.12", at=NOW, refused="Kraken alone says 1500, after 2790.12. A second source has to agree.")
    set_price("ETH", "USD", "3000", at=NOW)
    page = client_as(operator).post(LIST, {"action": "forget", "_selected_action": [row.pk], "index": 0}, follow=True).content.decode()
    assert "The last price of ETH in EUR is forgotten." in page
    assert list(Price.objects.values_list("name", "currency")) == [("ETH", "USD")]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.change_message) == (operator, "ETH in EUR: 2790.12", "The last good price was forgotten.")


def test_nobody_but_an_operator_forgets_a_price(client_as) -> None:
    row = set_price("ETH", "EUR", "2790.12", at=NOW)
    owner = add_member(make_merchant(), "owner", email="rui@harbourpine.example")
    assert client_as(owner).post(LIST, {"action": "forget", "_selected_action": [row.pk], "index": 0}).status_code in (302, 403)
    assert Price.objects.filter(pk=row.pk).exists()


# --- needs attention --------------------------------------------------------------------------------------------
def told(merchant: Merchant) -> list[tuple[str, str]]:
    return [(matter.title, matter.text) for matter in attention.matters(merchant, NOW) if "quoted" in matter.title]


AND_SO = " Payers are told so, and can choose another token."


def test_a_good_price_needs_no_attention(live: Merchant) -> None:
    set_prices("EUR", {"ETH": "2790", "USDT": "0.93"}, at=NOW)
    assert told(live) == []


def test_a_refused_and_an_old_price_are_each_told_with_their_reason(live: Merchant) -> None:
    set_price("ETH", "EUR", "2790", at=NOW, refused=APART)
    set_price("USDT", "EUR", "0.93", at=NOW - 11 * MINUTE)
    assert told(live) == [
        ("ETH cannot be quoted in EUR now", APART + AND_SO),
        ("USDT cannot be quoted in EUR now", "The last price is from 17 Nov 2026, 09:49." + AND_SO),
    ]


def test_what_fails_for_one_reason_is_told_once(live: Merchant) -> None:
    assert told(live) == [("ETH, USDT cannot be quoted in EUR now", "No source has given a price yet." + AND_SO)]


def test_a_stablecoin_at_par_needs_its_currencys_rate_and_not_its_own(live: Merchant) -> None:
    live.stable_at_par = True
    set_price("ETH", "EUR", "2790", at=NOW)
    set_price("USDT", "EUR", "0.93", at=NOW, refused=APART)
    set_price("USD", "EUR", "0.93", at=NOW)
    assert told(live) == []
    set_price("USD", "EUR", "0.93", at=NOW, refused="No source has a price.")
    assert told(live) == [("USDT cannot be quoted in EUR now", "No source has a price." + AND_SO)]


def test_a_test_merchant_and_one_without_assets_are_told_nothing(live: Merchant) -> None:
    Merchant.objects.filter(pk=live.pk).update(accepted_assets=[])
    live.refresh_from_db()
    assert (told(live), told(make_merchant(slug="tests-only"))) == ([], [])


def test_looking_for_prices_costs_no_more_for_more_assets(live: Merchant, django_assert_num_queries) -> None:
    from payments.rates.attention import unquotable

    for accepted in ([ETH], [asset.id for asset in assets.usable_by(live)]):
        live.accepted_assets = accepted
        with django_assert_num_queries(3):
            assert len(list(unquotable(live, NOW))) == 1
    set_prices("EUR", dict.fromkeys(("ETH", "USDT", "USDC", "POL", "BNB", "BTC", "LTC"), "1"), at=NOW)
    with django_assert_num_queries(2):
        assert list(unquotable(live, NOW)) == []


def test_the_overview_says_it_to_a_viewer_with_an_open_door(client_as, live: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("merchants.clock.now", lambda: NOW)
    make_draft(live)  # a business without an invoice is shown its first steps
    viewer = client_as(add_member(live, "viewer"))
    assert "ETH, USDT cannot be quoted in EUR now" in viewer.get(f"/m/{live.slug}/").content.decode()
    (link,) = [matter.link for matter in attention.matters(live, NOW) if "quoted" in matter.title]
    assert viewer.get(link).status_code == 200
    with pytest.raises(rates.NoRate):
        rates.for_merchant(live, assets.asset(ETH), "EUR", now=NOW)
