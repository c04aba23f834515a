"""The door of wallets: connecting, replacing, retiring; whose an address is, and whose counter."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from payments import addresses, families, gaps, keys, wallets
from payments.models import ReceiveAddress, Transfer, Wallet, WalletKey
from tests.factories import NOW, add_member, make_draft, make_merchant, make_user
from tests.payments.test_keys import BITCOIN, EVM, LTC_NATIVE, NATIVE, PRIVATE, spelt

pytestmark = pytest.mark.django_db

BTC, LTC = f"{BITCOIN}/slip44:0", "bip122:12a765e31ffd4059bada1e25190f6e98/slip44:2"
MINE = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
OTHER = "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"
SEGWIT = "p2wpkh:" + spelt(NATIVE, "0488b21e")


@pytest.fixture
def shop(owner: User) -> Merchant:
    return make_merchant(owner, is_test=False, accepted_assets=[])


@pytest.fixture
def neighbour() -> Merchant:
    return make_merchant(slug="secret-orchard", name="Secret Orchard", is_test=False, accepted_assets=[])


def fixed(merchant: Merchant, address: str = MINE, family: str = "evm", **more: Any) -> Wallet:
    return wallets.connect_fixed(merchant, **{"family": family, "address": address, "name": "Ledger", "by": None, "now": NOW} | more)


def keyed(merchant: Merchant, spec: str = SEGWIT, family: str = "bitcoin", **more: Any) -> Wallet:
    return wallets.connect_key(merchant, **{"family": family, "spec": spec, "name": "Vault", "by": None, "now": NOW} | more)


def hand_out(wallet: Wallet, count: int = 1) -> list[ReceiveAddress]:
    """Give addresses of `wallet` to as many new invoices."""
    asset = families.family(wallet.family).assets[0]
    return [addresses.receive_address(make_draft(wallet.merchant), wallet, asset, now=NOW) for _invoice in range(count)]


def paid(address: ReceiveAddress, status: str = "seen", txid: str = "") -> Transfer:
    return Transfer.objects.create(
        network=BITCOIN,
        txid=txid or f"tx-{address.pk}",
        place=0,
        invoice=address.invoice,
        receive_address=address,
        asset_id=BTC,
        amount_units=1000,
        status=status,
        first_seen_at=NOW,
        confirmations_needed=2,
    )


def told(kind: str) -> dict[str, Any]:
    return Event.objects.get(kind=kind).facts


# --- connecting -------------------------------------------------------------------------------------------------------
def test_connecting_a_fixed_address_keeps_it_in_its_one_spelling_and_tells_every_owner(shop: Merchant, owner: User) -> None:
    second = add_member(shop, "owner", "second@harbourpine.example")
    wallet = fixed(shop, MINE.lower(), by=owner)

    assert (wallet.way, wallet.fixed_address, wallet.spec, wallet.key, wallet.created_by) == ("fixed", MINE, "", None, owner)
    address = ReceiveAddress.objects.get()
    assert (address.wallet, address.address, address.invoice, address.key, address.index) == (wallet, MINE, None, None, None)
    event = Event.objects.get(kind="wallet.connected")
    assert (event.subject_id, event.actor, event.at) == (wallet.pk, owner, NOW)
    assert event.facts == {
        "business": "Harbour & Pine",
        "who": "Inês Matos",
        "owners": [owner.email, second.email],
        "wallet": "Ledger",
        "networks": "Ethereum, Polygon, BNB Chain, Base and Arbitrum",
        "way": "fixed",
        "shows": MINE,
    }


def test_connecting_switches_on_what_can_be_received_now_and_nothing_else(shop: Merchant) -> None:
    keyed(shop)
    assert shop.accepted_assets == Merchant.objects.get().accepted_assets == [BTC]
    fixed(shop)
    accepted = Merchant.objects.get().accepted_assets
    assert accepted[0] == BTC
    evm = {asset.id for asset in families.family("evm").assets}
    assert evm - set(accepted[1:]) == {"eip155:8453/slip44:60", "eip155:42161/slip44:60"}  # one address does not tell who paid there


def test_a_key_switches_on_every_coin(shop: Merchant) -> None:
    keyed(shop, "evm:" + EVM, "evm")
    assert set(Merchant.objects.get().accepted_assets) == {asset.id for asset in families.family("evm").assets}


def test_what_is_in_beta_stays_off(shop: Merchant, settings: Any) -> None:
    settings.NETWORK_OVERRIDES = {"tron": {"enabled": True}}
    fixed(shop, "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", "tron")
    assert Merchant.objects.get().accepted_assets == []


def test_a_key_is_kept_in_one_spelling_with_its_counter(shop: Merchant) -> None:
    wallet = keyed(shop, "p2wpkh:" + NATIVE, first_index=7)
    assert (wallet.way, wallet.spec, wallet.fixed_address) == ("key", SEGWIT, "")
    key = WalletKey.objects.get()
    assert (wallet.key, key.identity, key.next_index) == (key, keys.identity(SEGWIT), 7)
    assert told("wallet.connected")["shows"] == "zpub6rFR…GutZYs" == wallets.shown(wallet)
    assert not ReceiveAddress.objects.exists()


def test_a_wallet_without_a_name_is_called_by_its_network(shop: Merchant) -> None:
    assert keyed(shop, name="  ").name == "Bitcoin wallet"
    assert fixed(shop, name=" Two \n lines ").name == "Two lines"


# --- refusals ---------------------------------------------------------------------------------------------------------
def refused(said: str) -> Any:
    return pytest.raises(wallets.Refused, match=said)


def nothing_happened() -> bool:
    return not (Wallet.objects.exists() or ReceiveAddress.objects.exists() or Event.objects.exists())


def test_a_test_business_connects_nothing(merchant: Merchant) -> None:
    with refused("paid on the sandbox only"):
        fixed(merchant)
    with refused("paid on the sandbox only"):
        keyed(merchant)
    assert nothing_happened()


@pytest.mark.parametrize("family", ["tron", "sandbox", "dogecoin", ""])
def test_only_networks_that_are_switched_on_can_be_connected(shop: Merchant, family: str) -> None:
    with refused("does not receive on these networks"):
        fixed(shop, family=family)
    assert nothing_happened()


def test_what_is_no_address_or_key_of_the_network_is_refused_in_the_words_of_its_rail(shop: Merchant) -> None:
    with refused("no address of Ethereum"):
        fixed(shop, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")
    with refused("contract of USDT on Ethereum"):
        fixed(shop, "0xdAC17F958D2ee523a2206206994597C13D831ec7")
    with refused("belongs to nobody"):
        fixed(shop, "0x" + "0" * 40)
    with refused("has no addresses of this kind"):
        keyed(shop, "evm:" + EVM)
    with refused("makes no addresses of this kind"):
        keyed(shop, "p2wsh:" + NATIVE)
    with refused("checksum does not fit"):
        keyed(shop, "p2wpkh:" + NATIVE[:-1] + "t")
    for first in (-1, 1_000_001, 2**31):
        with refused("Begin with a number"):
            keyed(shop, first_index=first)
    assert nothing_happened()


@pytest.mark.parametrize("what", PRIVATE)
def test_what_can_spend_never_comes_through_the_door(shop: Merchant, what: str) -> None:
    for connect in (
        lambda: keyed(shop, "p2wpkh:" + PRIVATE[what]),
        lambda: fixed(shop, PRIVATE[what]),
        lambda: keyed(shop, name=PRIVATE[what]),
        lambda: fixed(shop, name=PRIVATE[what]),
    ):
        with pytest.raises(keys.PrivateKeyRefused):
            connect()
    assert nothing_happened()


def test_who_is_no_owner_any_more_is_refused_inside_the_door(shop: Merchant, owner: User) -> None:
    wallet = fixed(shop)
    for who in (make_user("stranger@else.example"), add_member(shop, "manager")):
        for act in (
            lambda who=who: keyed(shop, by=who),
            lambda who=who: fixed(shop, OTHER, by=who),
            lambda who=who: wallets.retire(wallet, by=who, now=NOW),
            lambda who=who: wallets.rename(wallet, name="Mine now", by=who, now=NOW),
        ):
            with refused("You are no owner of Harbour & Pine any more."):
                act()
    assert Wallet.objects.get().name == "Ledger"
    assert Event.objects.count() == 1


# --- a fixed address is one merchant's for ever -------------------------------------------------------------------------
def test_another_merchants_address_is_refused_without_saying_whose_it_is(shop: Merchant, neighbour: Merchant) -> None:
    fixed(neighbour)
    with refused("cannot be connected here") as refusal:
        fixed(shop, MINE.lower())
    wallets.retire(Wallet.objects.get(), by=None, now=NOW)
    with refused("cannot be connected here"):
        fixed(shop)
    assert "Orchard" not in str(refusal.value)
    assert list(Wallet.objects.values_list("merchant__slug", flat=True)) == ["secret-orchard"]


def test_the_same_merchant_may_bring_its_address_back(shop: Merchant) -> None:
    first = fixed(shop)
    fixed(shop, OTHER, name="New one")
    again = fixed(shop, name="Back again")

    assert (again.pk, again.name, again.retired_at) == (first.pk, "Back again", None)
    assert Wallet.objects.get(retired_at=None) == again
    assert ReceiveAddress.objects.count() == 2


def test_an_address_that_an_invoice_was_given_is_no_fixed_one(shop: Merchant, neighbour: Merchant) -> None:
    (made,) = hand_out(keyed(shop))
    with refused("given to one of your invoices"):
        fixed(shop, made.address, "bitcoin")
    with refused("cannot be connected here"):
        fixed(neighbour, made.address, "bitcoin")


def test_a_merchant_whose_look_came_too_early_is_turned_away_by_the_constraint(shop: Merchant, neighbour: Merchant, monkeypatch: Any) -> None:
    mine = fixed(shop, OTHER)
    fixed(neighbour)
    monkeypatch.setattr(wallets, "_free", lambda *_anything: None)
    with refused("cannot be connected here"):
        fixed(shop)
    assert Wallet.objects.get(merchant=shop) == mine  # and it is not retired
    assert Wallet.objects.get(merchant=shop).retired_at is None


# --- the counter is the key's -------------------------------------------------------------------------------------------
def test_one_key_never_gives_one_index_twice_on_two_families_or_to_two_merchants(shop: Merchant, neighbour: Merchant) -> None:
    bitcoin, litecoin = keyed(shop), keyed(shop, SEGWIT, "litecoin")
    taproot = keyed(neighbour, SEGWIT.replace("p2wpkh", "p2tr"))
    made = [*hand_out(bitcoin), *hand_out(litecoin), *hand_out(taproot), *hand_out(bitcoin)]

    assert [row.index for row in made] == [0, 1, 2, 3]
    assert WalletKey.objects.count() == 1
    assert made[0].address == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"  # BIP-84
    assert made[1].address.startswith("ltc1q")


def test_where_a_key_begins_can_only_raise_its_counter(shop: Merchant, neighbour: Merchant) -> None:
    keyed(shop, first_index=9)
    keyed(shop, "p2tr:" + NATIVE, first_index=12)
    assert WalletKey.objects.get().next_index == 12
    keyed(neighbour, first_index=4)
    assert WalletKey.objects.get().next_index == 12
    assert wallets.first_number(SEGWIT, 1) == 13
    assert wallets.first_number(SEGWIT, 40) == 40
    assert wallets.first_number("p2wpkh:" + LTC_NATIVE, 1) == 1


@pytest.mark.parametrize("is_retired", [False, True])
def test_nobody_moves_the_counter_of_a_key_that_another_merchant_has(shop: Merchant, neighbour: Merchant, is_retired: bool) -> None:
    wallet = keyed(shop, first_index=9)
    if is_retired:
        wallets.retire(wallet, by=None, now=NOW)
    with refused("Another business here has used this key too"):
        keyed(neighbour, "p2tr:" + NATIVE, first_index=1_000_000)
    assert (WalletKey.objects.get().next_index, neighbour.wallets.filter(family="bitcoin").count()) == (9, 0)
    keyed(neighbour, first_index=9)
    assert WalletKey.objects.get().next_index == 9


def test_an_address_that_was_connected_as_a_fixed_one_is_never_an_invoices_own(shop: Merchant) -> None:
    fixed(shop, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bitcoin")  # the key's first
    (made,) = hand_out(keyed(shop))
    assert (made.index, made.address) == (1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")
    assert WalletKey.objects.get().next_index == 2


# --- replacing and retiring ---------------------------------------------------------------------------------------------
def test_another_wallet_of_a_family_replaces_the_one_there_was(shop: Merchant, owner: User) -> None:
    old = fixed(shop, by=owner)
    new = keyed(shop, "evm:" + EVM, "evm", by=owner, now=NOW + timedelta(days=1))

    old.refresh_from_db()
    assert (old.retired_at, old.retired_by) == (NOW + timedelta(days=1), owner)
    assert addresses.wallet_for(shop, families.family("evm").assets[0]) == new
    facts = told("wallet.replaced")
    assert (facts["wallet"], facts["before"]["wallet"], facts["before"]["shows"]) == ("Vault", "Ledger", MINE)
    assert not Event.objects.filter(kind="wallet.retired").exists()


def test_replacing_leaves_the_merchants_choice_of_tokens_alone(shop: Merchant) -> None:
    fixed(shop)
    usdt = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
    Merchant.objects.filter(pk=shop.pk).update(accepted_assets=[usdt])
    fixed(shop, OTHER)
    assert Merchant.objects.get().accepted_assets == [usdt]


def test_the_wallet_that_is_there_is_not_connected_again(shop: Merchant) -> None:
    fixed(shop)
    keyed(shop)
    with refused("connected already"):
        fixed(shop, MINE.lower(), name="Again")
    with refused("connected already"):
        keyed(shop, "p2wpkh:" + NATIVE)
    assert Event.objects.count() == 2


def test_a_retired_wallet_receives_nothing_new_and_its_tokens_go_off(shop: Merchant, owner: User) -> None:
    keyed(shop)
    wallet = fixed(shop)
    wallets.retire(wallet, by=owner, now=NOW)

    assert (wallet.retired_at, wallet.retired_by) == (NOW, owner)
    assert Merchant.objects.get().accepted_assets == [BTC]
    assert addresses.receiving(shop) == {"bitcoin": "key"}
    assert addresses.watched(families.family("evm").networks[0], NOW).keys() == {MINE}  # still
    assert told("wallet.retired")["shows"] == MINE
    with refused("retired already"):
        wallets.retire(wallet, by=owner, now=NOW)


def test_a_key_that_comes_back_finds_its_addresses(shop: Merchant) -> None:
    first = keyed(shop)
    (made,) = hand_out(first)
    wallets.retire(first, by=None, now=NOW)
    again = keyed(shop)
    assert again.pk == first.pk
    asset = families.family("bitcoin").assets[0]
    assert made.invoice
    assert addresses.receive_address(made.invoice, again, asset, now=NOW) == made


def test_the_sandbox_wallet_stays(merchant: Merchant) -> None:
    sandbox = addresses.wallet_for(merchant, families.family("sandbox").assets[0])
    assert sandbox
    with refused("cannot do without its sandbox wallet"):
        wallets.retire(sandbox, by=None, now=NOW)


def test_a_wallet_gets_another_name(shop: Merchant, owner: User) -> None:
    wallet = fixed(shop)
    assert wallets.rename(wallet, name=" Safe  in the office ", by=owner, now=NOW) is True
    assert (wallet.name, Wallet.objects.get().name) == ("Safe in the office",) * 2
    assert wallets.rename(wallet, name="Safe in the office", by=owner, now=NOW) is False
    assert told("wallet.renamed")["was"] == "Ledger"
    with pytest.raises(keys.PrivateKeyRefused):
        wallets.rename(wallet, name=PRIVATE["WIF"], by=owner, now=NOW)


def test_a_merchant_has_one_wallet_of_a_family_at_a_time(shop: Merchant) -> None:
    fixed(shop)
    with pytest.raises(IntegrityError), transaction.atomic():
        Wallet.objects.create(merchant=shop, family="evm", name="Second", way="fixed", fixed_address=OTHER)


# --- how far a key is used ----------------------------------------------------------------------------------------------
def test_the_gap_counts_what_was_handed_out_since_the_last_payment(shop: Merchant) -> None:
    wallet = keyed(shop, first_index=10)
    assert (wallets.used_index(wallet), wallets.gap(wallet)) == (None, 0)
    made = hand_out(wallet, 5)
    assert (wallets.used_index(wallet), wallets.gap(wallet)) == (None, 5)
    paid(made[3], "dropped")
    assert (wallets.used_index(wallet), wallets.gap(wallet)) == (None, 5)
    paid(made[1])
    assert (wallets.used_index(wallet), wallets.gap(wallet)) == (11, 3)
    paid(made[0])
    assert (wallets.used_index(wallet), wallets.gap(wallet)) == (11, 3)


def test_addresses_that_another_family_took_widen_the_gap(shop: Merchant) -> None:
    bitcoin, litecoin = keyed(shop), keyed(shop, SEGWIT, "litecoin")
    (first,) = hand_out(bitcoin)
    paid(first)
    hand_out(litecoin, 4)
    assert (wallets.used_index(bitcoin), wallets.gap(bitcoin)) == (0, 4)
    assert (wallets.used_index(litecoin), wallets.gap(litecoin)) == (None, 5)


def test_a_fixed_address_has_no_gap(shop: Merchant) -> None:
    wallet = fixed(shop)
    assert (wallets.usage(wallet), wallets.used_index(wallet), wallets.gap(wallet)) == (None, None, 0)


def test_a_gap_is_shown_from_15_and_needs_a_hand_from_20(shop: Merchant, neighbour: Merchant) -> None:
    wallet = keyed(shop)
    hand_out(wallet, 14)
    usage = wallets.usage(wallet)
    assert usage and not usage.is_shown
    hand_out(wallet, 5)
    usage = wallets.usage(wallet)
    assert usage and usage.is_shown and not usage.is_long
    assert list(gaps.long_gaps(shop, NOW)) == []
    hand_out(wallet, 1)
    (matter,) = gaps.long_gaps(shop, NOW)
    assert matter.title == "Your Bitcoin wallet may not show the next payment"
    assert matter.text == "20 addresses were handed out since the last one that was paid."
    assert matter.link == f"/m/harbour-pine/wallets/{wallet.pk}/"
    assert list(gaps.long_gaps(neighbour, NOW)) == []
    wallets.retire(wallet, by=None, now=NOW)
    assert list(gaps.long_gaps(shop, NOW)) == []


@pytest.mark.parametrize(("gap", "wanted"), [(0, 20), (15, 30), (20, 40), (29, 40), (101, 120)])
def test_the_limit_asked_for_has_room_for_more(gap: int, wanted: int) -> None:
    assert gaps.Usage(None, 0, gap).limit_wanted == wanted


# --- the file -----------------------------------------------------------------------------------------------------------
def rows(wallet: Wallet) -> list[dict[str, str]]:
    text = b"".join(wallets.addresses_csv(wallet, now=NOW).streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
    return list(csv.DictReader(text.splitlines()))


def test_the_file_has_every_address_with_its_path(shop: Merchant, neighbour: Merchant) -> None:
    wallet = keyed(shop, first_index=5)
    first, second = hand_out(wallet, 2)
    hand_out(keyed(neighbour))  # the same key, another's invoice
    Invoice.objects.filter(pk=second.invoice_id).update(title='=HYPERLINK("x")')
    paid(first)
    assert rows(wallet) == [
        {
            "Number": "6",
            "Path": "m/84'/0'/0'/0/5",
            "Address": first.address,
            "Networks": "Bitcoin",
            "Invoice": "Brand identity, phase 2",
            "Handed out": "2026-11-17T10:00:00+00:00",
            "Received": "yes",
        },
        {
            "Number": "7",
            "Path": "m/84'/0'/0'/0/6",
            "Address": second.address,
            "Networks": "Bitcoin",
            "Invoice": '\'=HYPERLINK("x")',
            "Handed out": "2026-11-17T10:00:00+00:00",
            "Received": "",
        },
    ]


def test_the_file_of_a_fixed_address_has_that_one(shop: Merchant) -> None:
    (row,) = rows(fixed(shop))
    assert (row["Number"], row["Path"], row["Address"], row["Invoice"]) == ("", "", MINE, "")


# --- families -----------------------------------------------------------------------------------------------------------
def test_families_are_those_switched_on_with_the_recommended_way_first() -> None:
    found = {family.key: family for family in wallets.families()}
    assert list(found) == ["evm", "bitcoin", "litecoin"]
    assert found["evm"].ways == ("fixed", "key")
    assert found["bitcoin"].ways == found["litecoin"].ways == ("key", "fixed")
    assert list(found["evm"].scripts) == ["evm"]
    assert found["bitcoin"].scripts == {
        "p2wpkh": "Native SegWit (bc1q…)",
        "p2tr": "Taproot (bc1p…)",
        "p2sh-p2wpkh": "SegWit in P2SH (3…)",
        "p2pkh": "Legacy (1…)",
    }
    assert list(found["litecoin"].scripts.values())[2:] == ["SegWit in P2SH (M…)", "Legacy (L…)"]
    assert [family.face.symbol for family in found.values() if family.face] == ["ETH", "BTC", "LTC"]


def test_a_family_that_is_switched_off_or_gone_can_still_be_named(settings: Any) -> None:
    assert families.family("tron").name == "Tron"
    assert families.family("tron").is_beta
    assert (families.family("gone").name, families.family("gone").assets, families.family("gone").face) == ("gone", [], None)
    settings.NETWORK_OVERRIDES = {"polygon": {"enabled": False}}
    assert families.family("evm").name == "Ethereum, BNB Chain, Base and Arbitrum"
