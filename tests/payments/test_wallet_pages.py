"""The wallets' pages over HTTP: connecting with a check, and what never gets through."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from merchants import clock
from merchants.models import Event, Merchant, User
from payments import families, wallets
from payments.models import Cursor, Wallet
from tests.factories import NOW, PASSWORD, add_member, make_merchant
from tests.payments.test_keys import BITCOIN, EVM, NATIVE, PHRASE, PRIVATE, TESTNET, spelt
from tests.payments.test_wallets import LTC, MINE, OTHER, SEGWIT, fixed, hand_out, keyed, paid

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
HERE = "/m/harbour-pine/wallets/"
KEY = {"way": "key", "key": NATIVE, "script": "p2wpkh", "starts_at": "1", "name": "Studio vault"}
ADDRESS = {"way": "fixed", "address": MINE.lower(), "name": "Ledger"}
SAME = {"same": ["0", "1", "2"], "connect": "1"}
YES = {"is_mine": "1", "connect": "1"}


@pytest.fixture
def shop(owner: User) -> Merchant:
    return make_merchant(owner, is_test=False, accepted_assets=[])


@pytest.fixture
def client(client_as: SignIn, owner: User) -> Client:
    """The owner's browser, freshly signed in."""
    browser = client_as(owner)
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return browser


def said(answer: Any) -> str:
    """What a page says, without its markup; addresses without their gaps."""
    html = answer.content.decode()
    html = re.sub(r"<(script|svg).*?</\1>", "", html, flags=re.S)
    return " ".join(re.sub(r"</?(span|bdi|strong)[^>]*>", "", html).replace("&#x27;", "'").replace("&amp;", "&").split())


def check(client: Client, family: str, **data: Any) -> Any:
    return client.post(f"{HERE}connect/{family}/check/", data)


def errors(answer: Any, field: str) -> str:
    """The refusal that stands beside `field`."""
    found = re.search(rf'id="id_{field}_error"[^>]*>.*?<span>(.*?)</span>', answer.content.decode(), re.S)
    return found.group(1).replace("&#x27;", "'") if found else ""


# --- a key ------------------------------------------------------------------------------------------------------------
def test_a_key_is_connected_once_its_first_three_addresses_are_the_same(client: Client, shop: Merchant) -> None:
    assert client.get(f"{HERE}connect/").status_code == 200
    form = client.get(f"{HERE}connect/bitcoin/")
    assert form.context["way"] == "key"
    assert "Native SegWit (bc1q…)" in said(form)

    page = check(client, "bitcoin", **KEY)
    assert page.status_code == 200
    assert re.findall(r"bc1q[0-9a-z]{38}", said(page))[:3] == [
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
        "bc1qp59yckz4ae5c4efgw2s5wfyvrz0ala7rgvuz8z",
    ]
    assert "zpub6rFR…GutZYs" in said(page)
    assert "address 1; none has been used" in said(page)
    assert not Wallet.objects.exists()

    answer = check(client, "bitcoin", **KEY, **SAME)
    assert (answer.status_code, answer["location"]) == (302, HERE)
    wallet = Wallet.objects.get()
    assert (wallet.way, wallet.spec, wallet.name) == ("key", SEGWIT, "Studio vault")
    assert "next address bc1qcr…6fyu" in said(client.get(HERE))


@pytest.mark.parametrize("ticks", [[], ["0"], ["0", "1"], ["0", "0", "1"], ["0", "1", "7"]])
def test_with_an_address_left_to_compare_nothing_is_connected(client: Client, shop: Merchant, ticks: list[str]) -> None:
    answer = check(client, "bitcoin", **KEY, connect="1", same=ticks)
    assert answer.status_code == 422
    assert "Compare all three with your wallet, and tick each that is the same." in said(answer)
    assert answer.content.decode().count(" checked") == len({"0", "1", "2"} & set(ticks))
    assert not Wallet.objects.exists()


def test_another_address_type_is_compared_anew(client: Client, shop: Merchant) -> None:
    offered = said(check(client, "bitcoin", **KEY))
    assert "Taproot (bc1p…)" in offered
    answer = check(client, "bitcoin", **KEY, **SAME | {"connect": ""}, use="p2pkh")
    page = answer.content.decode()
    assert "1JaUQDVNRdhfNsVncGkXedaPSM5Gc54Hso" in said(answer)
    assert 'name="script" value="p2pkh"' in page
    assert " checked" not in page
    assert "zpub is how wallets spell a key for Native SegWit addresses; you chose Legacy." in said(answer)
    check(client, "bitcoin", **KEY, **SAME, use="p2pkh")  # what was ticked was of another type
    assert not Wallet.objects.exists()


def test_one_goes_back_to_the_form_with_what_was_typed(client: Client, shop: Merchant) -> None:
    page = check(client, "bitcoin", **KEY | {"starts_at": "12"}, edit="1").content.decode()
    assert NATIVE in page
    assert 'value="12"' in page
    assert 'value="Studio vault"' in page


def test_the_page_says_where_a_key_really_begins(client: Client, shop: Merchant) -> None:
    keyed(make_merchant(slug="other", is_test=False), first_index=30)
    assert "address 31; those before it were handed out already" in said(check(client, "bitcoin", **KEY))
    assert "<dd>address 45</dd>" in said(check(client, "bitcoin", **KEY | {"starts_at": "45"}))


def test_where_to_begin_is_counted_from_one(client: Client, shop: Merchant) -> None:
    check(client, "bitcoin", **KEY | {"starts_at": "12"}, **SAME)
    wallet = Wallet.objects.get()
    assert wallet.key
    assert wallet.key.next_index == 11


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("key", "", "Paste the extended public key of your wallet's account."),
        ("key", NATIVE[:-2] + "ZZ", "A letter of this key is wrong or missing"),
        ("key", MINE, "This is an address."),
        ("key", "x" * 401, "Shorten this to 400 characters; it has 401."),
        ("script", "p2wsh", "Choose one from the list."),
        ("script", "", "Choose the kind your wallet shows."),
        ("starts_at", "0", "Write a whole number, 1 or more."),
        ("starts_at", "one", "Write a whole number, 1 or more."),
        ("starts_at", "1000002", "Write a whole number, 1 or more."),
        ("name", "n" * 61, "Shorten this to 60 characters; it has 61."),
    ],
)
def test_what_is_wrong_with_a_key_stands_beside_its_field(client: Client, shop: Merchant, field: str, value: str, sentence: str) -> None:
    answer = check(client, "bitcoin", **KEY | {field: value}, **SAME)
    assert answer.status_code == 422
    assert sentence in errors(answer, field)
    assert not Wallet.objects.exists()


def test_a_header_of_a_test_network_is_pointed_out(client: Client, shop: Merchant) -> None:
    assert "vpub is how wallets spell a key of a test network." in said(check(client, "bitcoin", **KEY | {"key": TESTNET}))


def test_on_ethereum_a_key_has_one_kind_of_addresses(client: Client, shop: Merchant) -> None:
    page = client.get(f"{HERE}connect/evm/?way=key")
    assert "Address type" not in said(page)
    answer = check(client, "evm", way="key", key=EVM, script="evm", starts_at="1", name="", **SAME)
    assert answer.status_code == 302
    assert Wallet.objects.get().name == "Ethereum wallet"
    assert "Collecting costs" in said(page)


# --- a fixed address --------------------------------------------------------------------------------------------------
def test_an_address_is_connected_once_it_is_said_to_be_ones_own(client: Client, shop: Merchant) -> None:
    form = client.get(f"{HERE}connect/evm/")
    assert form.context["way"] == "fixed"

    page = check(client, "evm", **ADDRESS)
    assert page.status_code == 200
    assert MINE in said(page)  # with its checksum
    assert "not a deposit address of an exchange" in said(page)
    without = check(client, "evm", **ADDRESS, connect="1")
    assert (without.status_code, Wallet.objects.count()) == (422, 0)
    assert "Tick this when it is so." in said(without)

    assert check(client, "evm", **ADDRESS, **YES)["location"] == HERE
    wallet = Wallet.objects.get()
    assert (wallet.way, wallet.fixed_address, wallet.name) == ("fixed", MINE, "Ledger")
    assert "eip155:1/slip44:60" in Merchant.objects.get().accepted_assets


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "Paste the address at which you want to receive."),
        ("0x1234", "This is no address of Ethereum"),
        (MINE[:-1] + "5", "its capitals do not fit"),
        ("0x" + "0" * 40, "This address belongs to nobody."),
        ("0xdAC17F958D2ee523a2206206994597C13D831ec7", "This is the contract of USDT on Ethereum"),
        ("x" * 121, "Shorten this to 120 characters; it has 121."),
    ],
)
def test_what_is_wrong_with_an_address_stands_beside_its_field(client: Client, shop: Merchant, address: str, sentence: str) -> None:
    answer = check(client, "evm", **ADDRESS | {"address": address}, **YES)
    assert answer.status_code == 422
    assert sentence in errors(answer, "address")
    assert not Wallet.objects.exists()


def test_somebody_elses_address_is_refused_beside_the_field_without_a_word_of_them(client: Client, shop: Merchant) -> None:
    fixed(make_merchant(slug="secret-orchard", name="Secret Orchard", is_test=False))
    answer = check(client, "evm", **ADDRESS, **YES)
    assert answer.status_code == 422
    assert "cannot be connected here" in errors(answer, "address")
    assert "Orchard" not in said(answer)
    assert not Wallet.objects.filter(merchant=shop).exists()


def test_what_is_connected_already_is_refused_beside_its_field(client: Client, shop: Merchant) -> None:
    keyed(shop)
    assert "connected already" in errors(check(client, "bitcoin", **KEY, **SAME), "key")


def test_the_form_says_which_wallet_it_replaces(client: Client, shop: Merchant) -> None:
    fixed(shop, OTHER, name="Old safe")
    assert "This replaces Old safe." in said(client.get(f"{HERE}connect/evm/"))
    assert "Receives into Old safe now; another wallet replaces it." in said(client.get(f"{HERE}connect/"))
    check(client, "evm", **ADDRESS, **YES)
    assert Event.objects.filter(kind="wallet.replaced").count() == 1


def test_a_network_in_beta_is_called_so(client: Client, shop: Merchant, settings: Any) -> None:
    settings.NETWORK_OVERRIDES = {"tron": {"enabled": True}}
    assert "It was not tried against a Tron node." in said(client.get(f"{HERE}connect/tron/"))


# --- a private key goes nowhere -----------------------------------------------------------------------------------------
def everything() -> str:
    """Every row of every table, the cache too where it is in one."""
    return "\n".join(repr(row) for model in apps.get_models() for row in model._default_manager.values())


@pytest.mark.parametrize("freshly", [True, False])
@pytest.mark.parametrize("what", PRIVATE)
@pytest.mark.parametrize(
    ("family", "typed", "field"),
    [("bitcoin", KEY | SAME, "key"), ("evm", ADDRESS | YES, "address"), ("evm", ADDRESS | YES, "name")],
)
def test_what_can_spend_is_refused_and_kept_nowhere(
    client_as: SignIn, owner: User, shop: Merchant, caplog: Any, family: str, typed: dict[str, Any], field: str, what: str, freshly: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = client_as(owner)
    if freshly:
        browser.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    answer = check(browser, family, **typed | {field: PRIVATE[what]})

    assert answer.status_code == 422
    assert "This is a private key or a recovery phrase" in errors(answer, field)
    secret = PRIVATE[what] if " " not in PRIVATE[what] else PRIVATE[what][:60]
    rendered = answer.content.decode() + json.dumps(dict(browser.session), default=str) + caplog.text + everything() + repr(cache.__dict__)
    assert secret not in rendered
    assert PRIVATE[what][:30] not in rendered
    assert not Wallet.objects.exists()
    assert "no-store" in answer["cache-control"]


@pytest.mark.parametrize("before", ["x" * 399 + " ", "x " * 2500])
def test_what_can_spend_is_not_shown_again_behind_a_long_text_either(client: Client, shop: Merchant, before: str) -> None:
    answer = check(client, "bitcoin", **KEY | {"key": before + PRIVATE["xprv"]})
    assert answer.status_code == 422
    assert PRIVATE["xprv"][:30] not in answer.content.decode()


def test_a_private_key_as_a_new_name_is_refused_too(client: Client, shop: Merchant) -> None:
    wallet = fixed(shop)
    answer = client.post(f"{HERE}{wallet.pk}/rename/", {"name": PHRASE})
    assert (answer.status_code, "abandon" in said(answer)) == (422, False)
    assert "This is a private key or a recovery phrase" in errors(answer, "name")
    assert Wallet.objects.get().name == "Ledger"


# --- freshly signed in, and as an owner ---------------------------------------------------------------------------------
def test_the_form_asks_for_a_fresh_sign_in_first(client_as: SignIn, owner: User, shop: Merchant) -> None:
    answer = client_as(owner).get(f"{HERE}connect/evm/?way=key")
    assert answer.status_code == 302
    assert answer["location"] == f"{reverse('account_reauthenticate')}?next=%2Fm%2Fharbour-pine%2Fwallets%2Fconnect%2Fevm%2F%3Fway%3Dkey"


def test_what_was_typed_survives_the_sign_in(client_as: SignIn, owner: User, shop: Merchant) -> None:
    browser = client_as(owner)
    answer = check(browser, "bitcoin", **KEY | {"starts_at": "12"}, **SAME)
    assert answer["location"].startswith(reverse("account_reauthenticate"))
    assert not Wallet.objects.exists()
    back = browser.post(answer["location"], {"password": PASSWORD})["location"]
    assert back == f"{HERE}connect/bitcoin/?way=key"
    page = browser.get(back).content.decode()
    assert NATIVE in page
    assert 'value="12"' in page
    assert 'value="Studio vault"' in page
    assert NATIVE not in browser.get(back).content.decode()  # once


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_only_an_owner_changes_wallets(client_as: SignIn, shop: Merchant, role: str) -> None:
    wallet = fixed(shop)
    browser = client_as(add_member(shop, role))
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    before = Wallet.objects.values().get()
    for path in ("connect/", "connect/evm/", f"{wallet.pk}/rename/", f"{wallet.pk}/retire/"):
        assert browser.get(HERE + path).status_code == 403
    assert check(browser, "bitcoin", **KEY, **SAME).status_code == 403
    assert browser.post(f"{HERE}{wallet.pk}/retire/").status_code == 403
    assert browser.post(f"{HERE}{wallet.pk}/rename/", {"name": "Mine"}).status_code == 403
    assert Wallet.objects.values().get() == before

    seen = said(browser.get(HERE)) + said(browser.get(f"{HERE}{wallet.pk}/"))
    assert MINE in seen
    assert [end for end in ("connect/", "evm/", "rename/", "retire/") if f'{end}"' in seen] == []
    assert ">Manage<" not in seen
    assert browser.get(f"{HERE}{wallet.pk}/addresses.csv").status_code == 200


def test_another_merchants_wallet_does_not_exist(client: Client, shop: Merchant) -> None:
    theirs = fixed(make_merchant(slug="secret-orchard", name="Secret Orchard", is_test=False), OTHER)
    for path in ("", "rename/", "retire/", "addresses.csv"):
        assert client.get(f"{HERE}{theirs.pk}/{path}").status_code == 404
    assert client.post(f"{HERE}{theirs.pk}/retire/").status_code == 404
    assert OTHER not in said(client.get(HERE))
    theirs.refresh_from_db()
    assert theirs.retired_at is None


@pytest.mark.parametrize("family", ["tron", "sandbox", "dogecoin"])
def test_a_network_that_is_not_offered_has_no_page(client: Client, shop: Merchant, family: str) -> None:
    assert client.get(f"{HERE}connect/{family}/").status_code == 404
    assert check(client, family, **ADDRESS, **YES).status_code == 404


def test_looking_at_the_check_leads_to_the_form(client: Client, shop: Merchant) -> None:
    assert client.get(f"{HERE}connect/evm/check/")["location"] == f"{HERE}connect/evm/"
    assert client.get(f"{HERE}connect/evm/?way=sandbox").context["way"] == "fixed"


# --- the list and one wallet --------------------------------------------------------------------------------------------
def test_a_business_without_a_wallet_is_told_what_to_do(client: Client, shop: Merchant) -> None:
    page = said(client.get(HERE))
    assert "No wallet yet" in page
    assert "Until then nobody can pay you." in page
    assert f'href="{HERE}connect/"' in page


def test_a_test_business_sees_its_sandbox_wallet_and_why(client_as: SignIn, owner: User, merchant: Merchant) -> None:
    from payments import addresses

    browser = client_as(owner)
    assert "The sandbox wallet comes by itself" in said(browser.get(HERE))
    addresses.wallet_for(merchant, families.family("sandbox").assets[0])
    page = said(browser.get(HERE))
    assert "This business is a test one." in page
    assert "a new address for every invoice" in page
    assert "More networks" not in page
    assert "Connect" not in page
    away = browser.get(f"{HERE}connect/")
    assert (away.status_code, away["location"]) == (302, HERE)
    assert Wallet.objects.count() == 1


def cursor(network: str, **columns: Any) -> None:
    now = clock.now()
    usual = {"height": 924310, "head_height": 924310, "head_at": now - timedelta(minutes=6, seconds=10), "read_at": now}
    Cursor.objects.update_or_create(network=network, defaults=usual | columns)


def test_the_list_says_what_arrives_where_and_how_it_is_watched(client: Client, shop: Merchant) -> None:
    keyed(shop)
    assert "Not looked at yet" in said(client.get(HERE))
    cursor(BITCOIN)
    page = said(client.get(HERE))
    assert "Watching" in page
    assert "block 924,310, 6 min ago" in page
    assert page.index("More networks") < page.index("Ethereum, Polygon") < page.index("Litecoin")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"failures": 2}, "Watching"),
        ({"failures": 3, "read_at": NOW}, "Cannot be reached"),
        ({"failures": 3, "read_at": None}, "Cannot be reached"),
        ({"height": 924296, "behind_since": NOW}, "Behind by 14 blocks"),
        ({"height": 924309, "behind_since": NOW}, "Behind by 1 block<"),
        ({"read_at": NOW}, "since 17 Nov 2026, 10:00"),
    ],
)
def test_a_network_that_is_not_well_says_so(client: Client, shop: Merchant, columns: dict[str, Any], words: str) -> None:
    keyed(shop)
    cursor(BITCOIN, **columns)
    assert words in said(client.get(HERE))


def test_of_several_networks_the_list_shows_the_one_that_is_not_well(client: Client, shop: Merchant) -> None:
    wallet = fixed(shop)
    for network in families.family("evm").networks:
        cursor(network.id)
    cursor("eip155:137", failures=5)
    assert "Polygon, since" in said(client.get(HERE))
    assert said(client.get(f"{HERE}{wallet.pk}/")).count("Watching") == 4


def test_a_wallet_whose_network_is_switched_off_is_not_watched(client: Client, shop: Merchant, settings: Any) -> None:
    keyed(shop)
    settings.NETWORK_OVERRIDES = {"bitcoin": {"enabled": False}}
    assert "Not watched" in said(client.get(HERE))


def test_the_page_of_a_wallet_has_its_facts_and_addresses(client: Client, shop: Merchant) -> None:
    wallet = keyed(shop)
    made = hand_out(wallet, 3)
    paid(made[1])
    page = said(client.get(f"{HERE}{wallet.pk}/"))
    assert all(row.address in page for row in made)
    assert "m/84'/0'/0'/0/2" in page
    assert "address 2" in page  # the highest used
    assert "unused addresses ahead" not in page
    hand_out(wallet, 14)
    page = said(client.get(f"{HERE}{wallet.pk}/"))
    assert "15 addresses were handed out since the last one that was paid." in page
    assert "set the gap limit of this account to 30 or more" in page
    assert "15 unpaid in a row" in said(client.get(HERE))


def test_the_page_of_a_wallet_says_which_tokens_are_switched_on_where(client: Client, shop: Merchant) -> None:
    wallet = fixed(shop)
    Merchant.objects.filter(pk=shop.pk).update(accepted_assets=["eip155:1/slip44:60", "eip155:137/slip44:966"])
    page = client.get(f"{HERE}{wallet.pk}/")
    assert [(watch.network.name, symbols) for watch, symbols in page.context["networks"]] == [
        ("Ethereum", ["ETH"]),
        ("Polygon", ["POL"]),
        ("BNB Chain", []),
        ("Base", []),
        ("Arbitrum", []),
    ]
    assert said(page).count("no token switched on") == 3


def test_many_addresses_come_in_pages(client: Client, shop: Merchant) -> None:
    wallet = keyed(shop)
    made = hand_out(wallet, 52)
    first = client.get(f"{HERE}{wallet.pk}/")
    assert [row.index for row, _path in first.context["addresses"]] == list(range(51, 1, -1))
    second = client.get(f"{HERE}{wallet.pk}/?after={first.context['on']}")
    assert [row.index for row, _path in second.context["addresses"]] == [1, 0]
    assert second.context["on"] is None
    assert made[0].address in said(second)
    assert client.get(f"{HERE}{wallet.pk}/?after=%00").status_code == 200


def test_retiring_asks_first_and_keeps_the_addresses(client: Client, shop: Merchant) -> None:
    wallet = fixed(shop)
    question = client.get(f"{HERE}{wallet.pk}/retire/")
    assert "Addresses that payers were given stay watched" in said(question)
    assert Wallet.objects.get().retired_at is None
    assert client.post(f"{HERE}{wallet.pk}/retire/")["location"] == HERE
    assert Wallet.objects.get().retired_at is not None
    assert MINE in said(client.get(f"{HERE}{wallet.pk}/"))
    assert "Retired" in said(client.get(HERE))
    assert "retired already" in said(client.post(f"{HERE}{wallet.pk}/retire/", follow=True))


def test_a_wallet_is_renamed(client: Client, shop: Merchant) -> None:
    wallet = fixed(shop)
    assert 'value="Ledger"' in client.get(f"{HERE}{wallet.pk}/rename/").content.decode()
    assert client.post(f"{HERE}{wallet.pk}/rename/", {"name": "Safe"})["location"] == f"{HERE}{wallet.pk}/"
    assert Wallet.objects.get().name == "Safe"


def test_the_file_is_a_download(client: Client, shop: Merchant) -> None:
    wallet = keyed(shop)
    hand_out(wallet)
    answer = client.get(f"{HERE}{wallet.pk}/addresses.csv")
    assert answer["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="addresses-\d{4}-\d\d-\d\d\.csv"', answer["content-disposition"])
    assert b"m/84'/0'/0'/0/0" in b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def test_the_key_itself_is_on_no_page(client: Client, shop: Merchant) -> None:
    wallet = keyed(shop)
    hand_out(wallet)
    for path in ("", f"{wallet.pk}/", f"{wallet.pk}/rename/", f"{wallet.pk}/retire/"):
        page = client.get(HERE + path).content.decode()
        assert spelt(NATIVE, "0488b21e") not in page
        assert NATIVE not in page


def queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


def test_the_list_asks_the_same_for_one_wallet_and_for_three(client: Client, shop: Merchant) -> None:
    hand_out(keyed(shop), 2)
    overview = "/m/harbour-pine/"
    one, one_overview = queries(client, HERE), queries(client, overview)
    fixed(shop)
    hand_out(keyed(shop, SEGWIT, "litecoin"), 3)
    assert queries(client, HERE) == one
    assert queries(client, overview) == one_overview


def test_a_wallets_page_asks_the_same_for_one_address_and_for_three(client: Client, shop: Merchant) -> None:
    wallet = keyed(shop)
    paid(hand_out(wallet)[0])
    one = queries(client, f"{HERE}{wallet.pk}/")
    paid(hand_out(wallet, 2)[1])
    assert queries(client, f"{HERE}{wallet.pk}/") == one


# --- elsewhere ------------------------------------------------------------------------------------------------------------
def test_the_settings_say_which_tokens_no_wallet_receives(client: Client, shop: Merchant) -> None:
    settings_page = "/m/harbour-pine/settings/tokens/"
    before = said(client.get(settings_page))
    assert "Connect a wallet first." in before
    assert f'href="{HERE}connect/litecoin/"' in before
    fixed(shop, "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh", "litecoin")
    after = said(client.get(settings_page))
    assert "Connect a wallet first." not in after
    assert f'href="{HERE}connect/litecoin/"' not in after
    assert f'href="{HERE}connect/bitcoin/"' in after
    assert Merchant.objects.get().accepted_assets == [LTC]


def test_the_settings_of_a_test_business_speak_of_no_wallets(client_as: SignIn, owner: User, merchant: Merchant) -> None:
    page = said(client_as(owner).get("/m/harbour-pine/settings/tokens/"))
    assert "Connect a wallet first." not in page
    assert "no wallet receives it" not in page


def test_the_first_steps_of_a_business_lead_to_its_wallet(client: Client, shop: Merchant) -> None:
    page = said(client.get("/m/harbour-pine/"))
    assert "Four steps to your first payment." in page
    assert f'href="{HERE}connect/"' in page
    wallets.connect_fixed(shop, family="evm", address=MINE, name="", by=None, now=NOW)
    assert f'href="{HERE}connect/"' not in said(client.get("/m/harbour-pine/"))


def test_a_test_business_has_three_first_steps(client_as: SignIn, owner: User, merchant: Merchant) -> None:
    page = said(client_as(owner).get("/m/harbour-pine/"))
    assert "Three steps to your first payment." in page
    assert "Connect a wallet" not in page
