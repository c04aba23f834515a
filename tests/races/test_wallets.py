"""Two people at once with one key, and with one address."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from invoicing.models import Invoice
from merchants.models import Merchant
from payments import addresses, families, wallets
from payments.models import ReceiveAddress, Wallet, WalletKey
from payments.rails import rail_for
from tests.factories import NOW, make_draft, make_merchant
from tests.payments.test_wallets import MINE, OTHER, SEGWIT, fixed, keyed
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def shop() -> Merchant:
    return make_merchant(slug=f"shop-{next(_counter)}", is_test=False, accepted_assets=[])


def take(invoice: Invoice, wallet: Wallet) -> int | None:
    with transaction.atomic():
        return addresses.receive_address(invoice, wallet, families.family(wallet.family).assets[0], now=NOW).index


def two_invoices_take_an_index_of_one_key() -> None:
    merchant = shop()
    bitcoin, litecoin = keyed(merchant), keyed(merchant, SEGWIT, "litecoin")
    meeting = Meeting(2)
    begin = bitcoin.key
    assert begin
    first = WalletKey.objects.get(pk=begin.pk).next_index
    one, other = make_draft(merchant), make_draft(merchant)
    with patched((addresses, "rail_for", meeting.before(rail_for))):
        results = race(lambda: take(one, bitcoin), lambda: take(other, litecoin))
    assert sorted(results, key=str) == [first, first + 1]
    assert WalletKey.objects.get(pk=begin.pk).next_index == first + 2


def test_two_invoices_on_two_families_never_get_one_index_of_a_key() -> None:
    two_invoices_take_an_index_of_one_key()


class Unlocked:
    """The keys, read without their lock."""

    def __getattr__(self, name: str) -> Any:
        return getattr(WalletKey._default_manager, name)

    def select_for_update(self) -> Any:
        return WalletKey._default_manager.all()


def test_without_the_keys_lock_one_of_the_two_is_turned_away_by_the_constraint() -> None:
    with patched((WalletKey, "objects", Unlocked())):
        assert failures(two_invoices_take_an_index_of_one_key) == TWIN_RUNS
    indexes = list(ReceiveAddress.objects.exclude(index=None).values_list("key", "index"))
    assert len(indexes) == len(set(indexes))


def two_merchants_connect_one_address() -> None:
    ReceiveAddress.objects.all().delete()
    Wallet.objects.all().delete()
    first, second = shop(), shop()
    meeting = Meeting(2)
    with patched((wallets, "_named", meeting.before(wallets._named))):
        results = race(lambda: fixed(first), lambda: fixed(second))
    won, lost = sorted(results, key=lambda result: not isinstance(result, Wallet))
    assert isinstance(won, Wallet)
    assert isinstance(lost, wallets.Refused)
    assert list(Wallet.objects.filter(fixed_address=MINE)) == [won]
    assert ReceiveAddress.objects.get().wallet == won


def test_of_two_merchants_who_connect_one_address_at_once_one_is_refused() -> None:
    two_merchants_connect_one_address()


def test_without_the_constraints_both_would_have_it() -> None:
    names = {"wallet_fixed_once", "address_once"}
    once = [(model, row) for model in (Wallet, ReceiveAddress) for row in model._meta.constraints if row.name in names]
    assert len(once) == 2
    try:
        with connection.schema_editor() as editor:
            for model, constraint in once:
                editor.remove_constraint(model, constraint)
        assert failures(two_merchants_connect_one_address) == TWIN_RUNS
    finally:
        ReceiveAddress.objects.all().delete()
        Wallet.objects.all().delete()
        with connection.schema_editor() as editor:
            for model, constraint in once:
                editor.add_constraint(model, constraint)


def one_owner_connects_twice() -> None:
    merchant = shop()
    meeting = Meeting(2)
    ReceiveAddress.objects.all().delete()
    Wallet.objects.all().delete()
    with patched((Wallet, "save", meeting.before(Wallet.save))):
        results = race(lambda: fixed(merchant), lambda: fixed(merchant, OTHER))
    assert all(isinstance(result, Wallet) for result in results), results
    assert Wallet.objects.filter(merchant=merchant, retired_at=None).count() == 1
    assert Wallet.objects.filter(merchant=merchant).count() == 2


def test_of_two_wallets_connected_at_once_one_replaces_the_other() -> None:
    one_owner_connects_twice()


def test_without_the_merchants_lock_one_of_them_fails() -> None:
    def unlocked(merchant: Merchant, _by: Any) -> Merchant:
        return Merchant.objects.get(pk=merchant.pk)

    with patched((wallets, "_owned", unlocked)):
        assert failures(one_owner_connects_twice) == TWIN_RUNS


def test_the_constraints_are_there() -> None:
    merchant = shop()
    fixed(merchant)
    with pytest.raises(IntegrityError), transaction.atomic():
        Wallet.objects.create(merchant=shop(), family="evm", name="Copied", way="fixed", fixed_address=MINE)
