"""Where a refund goes: the links, the addresses of every family, and the second mail that fixes one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from merchants.models import Event, Merchant, User
from payments import claims, refunds, wallets
from payments.claims import CannotClaim, SecretGiven
from payments.models import Claim, Refund
from payments.rails import rail_for
from tests.factories import NOW, make_merchant
from tests.payments.money import NETWORK, Story
from tests.payments.refunding import RefundStory, payers_address
from tests.payments.test_keys import BITCOIN, LITECOIN, NATIVE, PRIVATE, spelt

pytestmark = pytest.mark.django_db

ETHEREUM = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
BASE_ETH = "eip155:8453/slip44:60"
TRON_USDT = "tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
BITCOINS = f"{BITCOIN}/slip44:0"
LITECOINS = f"{LITECOIN}/slip44:2"
MINE = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
OTHER = "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"
BECH32 = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


@pytest.fixture
def refund(story: RefundStory) -> Refund:
    return story.ask()


def to(story: RefundStory, asset: str) -> Refund:
    """A refund that is to go out in `asset`."""
    return story.ask("fiat", asset=asset)


def offer(story: RefundStory, refund: Refund, address: str = "", last: str = "", **more: Any) -> Claim:
    address = address or payers_address()
    return claims.offer(refund, address=address, last=last or address.strip()[-4:], now=more.get("now", story.now))


def why(call: Any) -> str:
    with pytest.raises(CannotClaim) as refused:
        call()
    return str(refused.value)


# --- addresses ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asset", "typed", "kept"),
    [
        (ETHEREUM, MINE, MINE),
        (ETHEREUM, f"  {MINE}\n", MINE),
        (ETHEREUM, MINE.lower(), MINE),  # without a checksum it is taken and spelt with one
        (BASE_ETH, OTHER, OTHER),
        (TRON_USDT, "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"),
        (BITCOINS, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA", "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"),
        (BITCOINS, "37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf", "37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf"),
        (BITCOINS, BECH32, BECH32),
        (BITCOINS, BECH32.upper(), BECH32),
        (
            *(BITCOINS, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ),
        (LITECOINS, "LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez", "LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez"),
        (LITECOINS, "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh", "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"),
    ],
)
def test_an_address_of_its_network_is_taken_in_its_one_spelling(story: RefundStory, asset: str, typed: str, kept: str) -> None:
    assert claims.checked(to(story, asset), typed) == kept


@pytest.mark.parametrize(
    ("asset", "typed"),
    [
        (ETHEREUM, ""),
        (ETHEREUM, "ana@duarte.example"),
        (ETHEREUM, MINE.replace("9858E", "9858e")),  # one letter's case: the checksum is wrong
        (ETHEREUM, MINE[:-1]),
        (ETHEREUM, "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"),
        (ETHEREUM, "0x" + "0" * 40),
        (TRON_USDT, MINE),
        (TRON_USDT, "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdJ"),
        (BITCOINS, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabB"),
        (BITCOINS, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyv"),
        (BITCOINS, "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"),
        (BITCOINS, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (LITECOINS, BECH32),
        (LITECOINS, "LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ea"),
    ],
)
def test_what_is_no_address_there_is_refused_with_a_sentence(story: RefundStory, asset: str, typed: str) -> None:
    reason = why(lambda: claims.checked(to(story, asset), typed))
    assert reason.endswith(".") and len(reason) > 20


@pytest.mark.parametrize(
    ("asset", "contract"),
    [
        (ETHEREUM, "0xdAC17F958D2ee523a2206206994597C13D831ec7"),  # the token itself
        (ETHEREUM, "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),  # another token of the network
        (TRON_USDT, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
    ],
)
def test_a_tokens_contract_is_nobodys_wallet(story: RefundStory, asset: str, contract: str) -> None:
    assert "lost" in why(lambda: claims.checked(to(story, asset), contract))


@pytest.mark.parametrize("number", [1, 9, 0xFFFF])
def test_the_chains_own_addresses_are_nobodys_wallet(story: RefundStory, number: int) -> None:
    typed = f"0x{number:040x}"
    assert why(lambda: claims.checked(to(story, ETHEREUM), typed)) == (
        "This address is nobody’s, and what is sent there is lost. Give an address of your own wallet."
    )


def test_the_merchants_own_addresses_are_refused(story: RefundStory, refund: Refund) -> None:
    handed_out = story.transfers()[0].receive_address.address  # type: ignore[union-attr]
    assert why(lambda: offer(story, refund, handed_out)) == "This address belongs to Harbour & Pine. Give one of your own wallet."
    assert (Claim.objects.count(), Event.objects.filter(kind="refund.address_given").count()) == (0, 0)


def test_so_are_the_next_ones_of_its_key_and_a_fixed_one_that_nobody_was_given_yet(owner: User) -> None:
    shop = make_merchant(owner, slug="shop", is_test=False, accepted_assets=[])
    wallets.connect_fixed(shop, family="evm", address=MINE, name="Ledger", by=None, now=NOW)
    wallet = wallets.connect_key(shop, family="bitcoin", spec="p2wpkh:" + spelt(NATIVE, "0488b21e"), name="Vault", by=None, now=NOW, first_index=3)
    story = RefundStory(make_merchant(slug="other", name="Other"))
    refund = to(story, BITCOINS)
    Refund.objects.filter(pk=refund.pk).update(merchant=shop)
    refund.refresh_from_db()
    rail = rail_for(BITCOIN)
    for index in (3, 22):
        coming = rail.address(key=wallet.spec, index=index)
        assert "belongs to" in why(lambda coming=coming: claims.checked(refund, coming))
    beyond = rail.address(key=wallet.spec, index=23)
    assert claims.checked(refund, beyond) == beyond
    Refund.objects.filter(pk=refund.pk).update(asset_id=ETHEREUM)
    assert "belongs to" in why(lambda: claims.checked(Refund.objects.get(pk=refund.pk), MINE))


def test_what_another_merchant_receives_at_may_be_the_payers_own(story: RefundStory, refund: Refund) -> None:
    neighbour = Story(make_merchant(slug="secret-orchard", name="Secret Orchard"))
    address = neighbour.quote().receive_address.address
    assert claims.checked(refund, address) == address


@pytest.mark.parametrize("kind", sorted(PRIVATE))
@pytest.mark.parametrize("asset", ["sandbox", ETHEREUM, BITCOINS])
def test_what_can_spend_is_never_taken_nor_said_again(story: RefundStory, asset: str, kind: str) -> None:
    refund = story.ask() if asset == "sandbox" else to(story, asset)
    secret = PRIVATE[kind]
    with pytest.raises(SecretGiven) as refused:
        offer(story, refund, secret)
    assert secret not in str(refused.value) and not any(word in str(refused.value) for word in ("abandon", secret[:12]))
    assert refused.value.__cause__ is None and refused.value.__suppress_context__
    assert Claim.objects.count() == 0


# --- the last characters ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("last", "taken"), [("da94", True), ("DA94", True), ("Eda94", True), (" da 94 ", True), ("a94", False), ("da95", False), ("", False)]
)
def test_the_payer_says_how_the_address_ends(story: RefundStory, last: str, taken: bool) -> None:
    refund = to(story, ETHEREUM)
    if taken:
        assert claims.offer(refund, address=MINE, last=last, now=story.now).address == MINE
    else:
        assert "does not end like this" in why(lambda: claims.offer(refund, address=MINE, last=last, now=story.now))
        assert not Claim.objects.exists()


def test_where_case_matters_it_has_to_be_the_same(story: RefundStory) -> None:
    refund = to(story, BITCOINS)
    assert "does not end like this" in why(lambda: claims.offer(refund, address="1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA", last="EABA", now=story.now))


# --- the second mail ----------------------------------------------------------------------------------------------
def test_an_address_is_fixed_only_once_the_second_mail_is_answered(story: RefundStory, refund: Refund) -> None:
    given = offer(story, refund)
    assert (Refund.objects.get().status, Refund.objects.get().address, story.kinds()[-1]) == ("requested", "", "refund.address_given")
    held = claims.confirm(given, now=story.now)
    assert (held.status, held.address, held.claimed_at, held.claimed_by, held.by_member) == ("claimed", payers_address(), story.now, None, False)
    assert Claim.objects.get().confirmed_at == story.now
    told = Event.objects.get(kind="refund.claimed").facts["refund"]
    assert (told["address"], told["address_by"]) == (payers_address(), "payer")


def test_confirming_again_is_nothing_new(story: RefundStory, refund: Refund) -> None:
    given = offer(story, refund)
    for _press in range(2):
        claims.confirm(Claim.objects.get(pk=given.pk), now=story.now)
    assert story.kinds().count("refund.claimed") == 1


def test_the_second_mail_of_a_claim_that_began_anew_confirms_nothing_although_it_is_the_same_address(story: RefundStory, refund: Refund) -> None:
    old = offer(story, refund)
    again = refunds.restart(claims.confirm(old, now=story.now), by=story.owner, now=story.now)
    old.refresh_from_db()
    assert "does not hold any more" in why(lambda: claims.confirm(old, now=story.now))
    held = story.claim(again)
    assert (held.status, held.address) == ("claimed", payers_address())
    old.refresh_from_db()
    assert "does not hold any more" in why(lambda: claims.confirm(old, now=story.now))


def test_only_the_latest_address_can_be_confirmed(story: RefundStory, refund: Refund) -> None:
    older, newer = offer(story, refund), offer(story, refund, payers_address(1))
    assert "does not hold any more" in why(lambda: claims.confirm(older, now=story.now))
    assert claims.confirm(newer, now=story.now).address == payers_address(1)
    assert "does not hold any more" in why(lambda: claims.confirm(Claim.objects.get(pk=older.pk), now=story.now))


def test_a_confirmation_is_good_for_two_days(story: RefundStory, refund: Refund) -> None:
    given = offer(story, refund)
    late = story.now + timedelta(days=2)
    assert "does not hold any more" in why(lambda: claims.confirm(given, now=late))
    assert claims.confirm(given, now=late - timedelta(seconds=1)).status == "claimed"


def test_a_claim_that_began_anew_ends_the_address_given_before(story: RefundStory, refund: Refund) -> None:
    given = offer(story, refund)
    refunds.renew(refund, by=story.owner, now=story.now)
    assert "does not hold any more" in why(lambda: claims.confirm(Claim.objects.get(pk=given.pk), now=story.now))
    assert Refund.objects.get().status == "requested"


def test_a_stale_confirmation_is_caught_under_the_lock_too(story: RefundStory, refund: Refund, monkeypatch: pytest.MonkeyPatch) -> None:
    given = offer(story, refund)
    monkeypatch.setattr(claims, "stands", lambda *_args: True)
    refunds.renew(Refund.objects.get(), by=story.owner, now=story.now)
    assert "asked for anew since" in why(lambda: claims.confirm(given, now=story.now))


def test_a_claimed_address_changes_only_by_starting_the_claim_again(story: RefundStory, refund: Refund) -> None:
    story.claim(refund)
    claimed = Refund.objects.get()
    assert "has changed since" in why(lambda: offer(story, claimed, payers_address(1)))
    with pytest.raises(refunds.Refused):
        claims.enter(claimed, address=payers_address(1), by=story.owner, now=story.now)
    again = refunds.restart(claimed, by=None, now=story.now)
    assert (again.status, again.address) == ("requested", "")
    assert story.claim(again, address=payers_address(1)).address == payers_address(1)


@pytest.mark.parametrize("asset", [f"{NETWORK}/token:gone", "eip155:424242/slip44:60"])
def test_no_address_is_taken_for_a_token_that_left_the_catalogue(story: RefundStory, refund: Refund, asset: str) -> None:
    Refund.objects.update(asset_id=asset)
    refund.refresh_from_db()
    assert why(lambda: offer(story, refund)) == "This refund cannot be sent as it is. Write to Harbour & Pine."
    assert "cannot be sent as it is" in why(lambda: claims.enter(refund, address=payers_address(), by=story.owner, now=story.now))
    assert not Claim.objects.exists()


@pytest.mark.parametrize("end", ["cancelled", "expired", "renewed", "late"])
def test_no_address_is_taken_by_a_page_that_was_overtaken(story: RefundStory, refund: Refund, end: str) -> None:
    page = Refund.objects.get()
    if end == "cancelled":
        refunds.cancel(refund, why="", by=story.owner, now=story.now)
    elif end == "renewed":
        refunds.renew(refund, by=story.owner, now=story.now)
    else:
        story.now = refund.claim_until
        if end == "expired":
            refunds.expire_due(now=story.now)
    assert why(lambda: offer(story, page)) == "This refund has changed since. Open the link of the latest mail."
    assert not Claim.objects.exists()


def test_ten_addresses_a_day_are_enough(story: RefundStory, refund: Refund) -> None:
    for index in range(10):
        offer(story, refund, payers_address(index))
    assert why(lambda: offer(story, refund)) == "You have given many addresses today. Try again tomorrow, or write to Harbour & Pine."
    assert offer(story, refund, now=story.now + timedelta(days=1)).pk


# --- links --------------------------------------------------------------------------------------------------------
def test_a_link_opens_its_refund_until_a_newer_one_is_asked_for(story: RefundStory, refund: Refund) -> None:
    link = claims.link_token(refund)
    assert claims.read_token(link) == refund
    refunds.renew(refund, by=story.owner, now=story.now)
    assert claims.read_token(link) is None


@pytest.mark.parametrize("state", ["cancelled", "expired", "claimed"])
def test_a_link_tells_what_has_become_of_it(story: RefundStory, refund: Refund, state: str) -> None:
    link = claims.link_token(refund)
    if state == "cancelled":
        refunds.cancel(refund, why="", by=story.owner, now=story.now)
    elif state == "claimed":
        story.claim(refund)
    else:
        refunds.expire_due(now=refund.claim_until)
    opened = claims.read_token(link)
    assert opened is not None and opened.status == state
    assert not claims.is_open(opened, story.now)


def test_a_link_that_is_not_whole_or_of_another_kind_opens_nothing(story: RefundStory, refund: Refund) -> None:
    link, given = claims.link_token(refund), offer(story, refund)
    confirm = claims.confirm_token(given)
    assert claims.read_confirm(confirm) == given
    for wrong in ("", ".", link[:-1], link + "x", "x" + link, confirm, link.replace(".", ""), "é"):
        assert claims.read_token(wrong) is None
    for wrong in ("", confirm[:-1], link, "é"):
        assert claims.read_confirm(wrong) is None


def test_links_of_other_refunds_cannot_be_guessed_from_ones_own(story: RefundStory) -> None:
    one, two = story.ask("other", other_minor=100), story.ask("other", other_minor=100)
    forged = claims.CLAIM_SIGNER.sign_object([two.pk, one.nonce])
    assert claims.read_token(forged) is None
    assert len({claims.link_token(one), claims.link_token(two)}) == 2
    assert min(len(refund.nonce) for refund in (one, two)) >= 43


# --- a member writes it down --------------------------------------------------------------------------------------
def test_a_member_may_write_down_the_payers_address(story: RefundStory, refund: Refund) -> None:
    held = claims.enter(refund, address=f" {payers_address(3).upper()} ", by=story.second, now=story.now)
    assert (held.status, held.address, held.by_member, held.claimed_by) == ("claimed", payers_address(3), True, story.second)
    event = Event.objects.get(kind="refund.claimed")
    assert (event.actor, event.facts["refund"]["address_by"]) == (story.second, "member")
    assert not Claim.objects.exists()


def test_what_a_member_writes_is_not_noted_as_confirmed_by_the_payer(story: RefundStory, refund: Refund) -> None:
    """Although the payer had given the very same address, and has not answered its mail."""
    given = offer(story, refund)
    claims.enter(refund, address=payers_address(), by=story.owner, now=story.now)
    given.refresh_from_db()
    assert given.confirmed_at is None
    assert "does not hold any more" in why(lambda: claims.confirm(given, now=story.now))


def test_what_a_member_writes_is_checked_as_the_payers_is(story: RefundStory, refund: Refund) -> None:
    mine = story.transfers()[0].receive_address.address  # type: ignore[union-attr]
    assert "belongs to Harbour & Pine" in why(lambda: claims.enter(refund, address=mine, by=story.owner, now=story.now))
    assert "no address of the sandbox" in why(lambda: claims.enter(refund, address="nonsense", by=story.owner, now=story.now))
    with pytest.raises(SecretGiven):
        claims.enter(refund, address=PRIVATE["12 words"], by=story.owner, now=story.now)
    assert Refund.objects.get().status == "requested"


def test_where_the_payment_came_from_is_never_used_by_itself(story: RefundStory, refund: Refund) -> None:
    assert (refund.address, refund.claimed_at) == ("", None)
    story.blocks(3)
    assert Refund.objects.get().address == ""
    assert refund.network == NETWORK
