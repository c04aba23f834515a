"""UnitsField keeps every count of smallest units exactly, and in order, on the database of the tests."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from merchants.fields import MAX_UNITS, UnitsField
from payments.models import SandboxTransaction
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def store(*amounts: int) -> None:
    SandboxTransaction.objects.bulk_create(
        SandboxTransaction(network="sandbox:harbour", txid=f"t{place}", address="a", asset_id="x", amount_units=amount, created_at=NOW)
        for place, amount in enumerate(amounts)
    )


def amounts(**conditions: Any) -> list[int]:
    return list(SandboxTransaction.objects.filter(**conditions).order_by("amount_units").values_list("amount_units", flat=True))


@pytest.mark.parametrize("amount", [0, 1, 12345678901234567891, 2**53 + 1, 2**63, 2**128 - 1, 10**77, 2**256 - 2, 2**256 - 1])
def test_it_comes_back_as_it_went_in(amount: int):
    store(amount)
    back = SandboxTransaction.objects.get()
    assert (back.amount_units, type(back.amount_units)) == (amount, int)


def test_the_largest_is_the_largest_of_an_evm_word():
    assert MAX_UNITS == 115792089237316195423570985008687907853269984665640564039457584007913129639935


def test_rows_are_ordered_as_numbers_and_not_as_texts():
    store(2**256 - 1, 9, 10, 0, 2**64, 100, 99)
    assert amounts() == [0, 9, 10, 99, 100, 2**64, 2**256 - 1]


def test_rows_are_compared_as_numbers():
    store(9, 10, 100, 2**256 - 2, 2**256 - 1)
    assert amounts(amount_units__gt=9) == [10, 100, 2**256 - 2, 2**256 - 1]
    assert amounts(amount_units__lte=10) == [9, 10]
    assert amounts(amount_units=2**256 - 1) == [2**256 - 1]
    assert amounts(amount_units__in=[9, 100, 2**256 - 2]) == [9, 100, 2**256 - 2]


@pytest.mark.parametrize("amount", [-1, 2**256, 1.5, 1.0, "12", True])
def test_what_is_no_count_is_refused_before_it_reaches_the_database(amount: Any):
    with pytest.raises(ValueError, match=r"is not a whole number from 0 to 2\^256-1"):
        store(amount)


def test_on_sqlite_it_is_padded_text_on_postgresql_a_number():
    assert UnitsField().db_type(connection) == {"sqlite": "varchar(78)", "postgresql": "numeric(78,0)"}[connection.vendor]


@pytest.mark.parametrize(("value", "expected"), [(None, None), (7, 7), ("7", 7), (str(2**256 - 1), 2**256 - 1)])
def test_text_from_a_form_or_a_fixture_becomes_a_number(value: Any, expected: int | None):
    assert UnitsField().to_python(value) == expected


@pytest.mark.parametrize("value", ["", "1.5", "x", "1e3", object()])
def test_text_that_is_no_number_is_refused(value: Any):
    with pytest.raises(ValidationError):
        UnitsField().to_python(value)
