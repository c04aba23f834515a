"""Credit notes: how an amount splits over an invoice's taxes, a series of their own without gaps, and what holds."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from invoicing import credit_notes, numbering
from invoicing.models import CreditNote, Invoice
from merchants.models import Merchant
from tests.factories import NOW, make_draft, make_merchant, publish


def billed(total: int, *taxes: tuple[str, int, int, int]) -> Invoice:
    """An invoice over `total`, with (name, rate in 0.0001 %, base, tax) a tax; not stored."""
    lines = [{"name": name, "rate_e4": rate, "base_minor": base, "tax_minor": tax} for name, rate, base, tax in taxes]
    return Invoice(total_minor=total, tax_lines=lines)


def rows(found: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    return [(row["name"], row["rate_e4"], row["net_minor"], row["tax_minor"]) for row in found]


VAT_23 = ("VAT", 230_000, 10_000, 2_300)
VAT_6 = ("VAT", 60_000, 5_000, 300)


# --- the split ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("amount", "invoice", "expected"),
    [
        (4_000, billed(10_000), [("", 0, 4_000, 0)]),  # no tax at all
        (12_300, billed(12_300, VAT_23), [("VAT", 230_000, 10_000, 2_300)]),  # everything: what was billed
        (6_150, billed(12_300, VAT_23), [("VAT", 230_000, 5_000, 1_150)]),
        (1, billed(12_300, VAT_23), [("VAT", 230_000, 1, 0)]),
        (100, billed(12_300, VAT_23), [("VAT", 230_000, 81, 19)]),  # 18.699…
        # 123.00 at 23 % and 53.00 at 6 %, half of it back
        (8_800, billed(17_600, VAT_23, VAT_6), [("VAT", 230_000, 5_000, 1_150), ("VAT", 60_000, 2_500, 150)]),
        # a cent: the larger share has the larger remainder
        (1, billed(17_600, VAT_23, VAT_6), [("VAT", 230_000, 1, 0), ("VAT", 60_000, 0, 0)]),
        # 123.00 taxed and 77.00 without
        (10_000, billed(20_000, VAT_23), [("VAT", 230_000, 5_000, 1_150), ("", 0, 3_850, 0)]),
        # equal remainders: the first gets the odd cent
        (101, billed(20_000, ("A", 0, 10_000, 0), ("B", 0, 10_000, 0)), [("A", 0, 51, 0), ("B", 0, 50, 0)]),
    ],
)
def test_an_amount_splits_over_the_taxes_as_they_were_billed(amount: int, invoice: Invoice, expected: list[tuple[str, int, int, int]]) -> None:
    assert rows(credit_notes.split(amount, invoice)) == expected


taxes = st.lists(st.tuples(st.integers(0, 300_000), st.integers(1, 10**7)), min_size=0, max_size=4)


@given(taxes, st.integers(0, 10**7), st.data())
def test_the_shares_add_up_and_are_within_a_cent_of_their_part(groups: list[tuple[int, int]], untaxed: int, data: st.DataObject) -> None:
    lines = [(f"T{at}", rate, base, round(Fraction(base * rate, 10**6))) for at, (rate, base) in enumerate(groups)]
    total = untaxed + sum(base + tax for _name, _rate, base, tax in lines)
    if not total:
        return
    amount = data.draw(st.integers(1, total))
    found = credit_notes.split(amount, billed(total, *lines))
    assert sum(row["net_minor"] + row["tax_minor"] for row in found) == amount
    whole = [*[(base + tax, tax) for _name, _rate, base, tax in lines], *([(untaxed, 0)] if untaxed else [])]
    assert len(found) == len(whole)
    for row, (gross, tax) in zip(found, whole, strict=True):
        share = Fraction(amount * gross, total)
        assert abs(row["net_minor"] + row["tax_minor"] - share) < 1
        assert abs(row["tax_minor"] - Fraction(row["net_minor"] + row["tax_minor"]) * Fraction(tax, gross)) <= Fraction(1, 2)
        assert row["net_minor"] >= 0 and row["tax_minor"] >= 0


def test_all_of_it_splits_into_exactly_what_was_billed() -> None:
    invoice = billed(20_000 + 5_300, VAT_23, VAT_6)
    assert rows(credit_notes.split(25_300, invoice)) == [("VAT", 230_000, 10_000, 2_300), ("VAT", 60_000, 5_000, 300), ("", 0, 7_700, 0)]


def held(invoice: Invoice, amounts: list[int]) -> list[CreditNote]:
    """Notes over `amounts`, one after the other, each knowing of those before; not stored."""
    found: list[CreditNote] = []
    for amount in amounts:
        found.append(CreditNote(amount_minor=amount, taxes=credit_notes.split(amount, invoice, earlier=found)))
    return found


def test_notes_over_the_whole_invoice_take_back_its_very_tax() -> None:
    """18.70 of 100.00: a third of it for itself would be 6.23, three times, and a cent would stay behind."""
    notes = held(billed(10_000, ("VAT", 230_000, 8_130, 1_870)), [3_333, 3_333, 3_334])
    assert [rows(note.taxes) for note in notes] == [
        [("VAT", 230_000, 2_710, 623)],
        [("VAT", 230_000, 2_709, 624)],  # 66.66 together bear 12.4654…
        [("VAT", 230_000, 2_711, 623)],
    ]


def test_a_note_that_was_withdrawn_leaves_its_tax_to_the_next() -> None:
    invoice = billed(10_000, ("VAT", 230_000, 8_130, 1_870))
    first, second, third = held(invoice, [3_333, 3_333, 3_334])
    instead = credit_notes.split(3_333, invoice, earlier=[first, third])
    assert sum(row["tax_minor"] for row in (*first.taxes, *third.taxes, *instead)) == 1_870
    assert rows(second.taxes) == rows(instead)


@given(taxes, st.integers(0, 10**7), st.data())
def test_however_it_goes_back_all_notes_together_take_back_what_was_billed(groups: list[tuple[int, int]], untaxed: int, data: st.DataObject) -> None:
    lines = [(f"T{at}", rate, base, round(Fraction(base * rate, 10**6))) for at, (rate, base) in enumerate(groups)]
    total = untaxed + sum(base + tax for _name, _rate, base, tax in lines)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(total - 1, 1)), max_size=6)))
    bounds = [0, *(cut for cut in cuts if cut < total), total]
    if not total:
        return
    invoice = billed(total, *lines)
    amounts = [upper - lower for lower, upper in pairwise(bounds)]
    notes = held(invoice, amounts)
    for note, amount in zip(notes, amounts, strict=True):
        assert sum(row["net_minor"] + row["tax_minor"] for row in note.taxes) == amount
        assert all(row["net_minor"] >= 0 and row["tax_minor"] >= 0 for row in note.taxes)
    by_group = zip(*(note.taxes for note in notes), strict=True)
    together = [(sum(row["net_minor"] for row in group), sum(row["tax_minor"] for row in group)) for group in by_group]
    assert together == [*((base, tax) for _name, _rate, base, tax in lines), *([(untaxed, 0)] if untaxed else [])]


# --- the series ---------------------------------------------------------------------------------------------------
def issue(invoice: Invoice, minor: int = 1_000) -> CreditNote:
    with transaction.atomic():
        return credit_notes.issue(invoice, amount_minor=minor, reason="Late", paid_back={}, now=NOW)


@pytest.mark.django_db
def test_notes_are_numbered_in_a_series_of_their_own(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    assert [issue(invoice).number for _note in range(2)] == ["CN-000001", "CN-000002"]
    assert (invoice.number, publish(make_draft(merchant)).number) == ("INV-000001", "INV-000002")
    assert issue(invoice).number == "CN-000003"


@pytest.mark.django_db
def test_each_merchant_has_its_own(merchant: Merchant) -> None:
    other = make_merchant(slug="secret-orchard")
    issue(publish(make_draft(merchant)))
    assert issue(publish(make_draft(other))).number == "CN-000001"


@pytest.mark.django_db
def test_a_number_that_was_rolled_back_is_given_again(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    issue(invoice)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert credit_notes.issue(invoice, amount_minor=500, reason="", paid_back={}, now=NOW).number == "CN-000002"
        _ = 1 / 0
    assert issue(invoice).number == "CN-000002"
    assert list(CreditNote.objects.order_by("id").values_list("number", flat=True)) == ["CN-000001", "CN-000002"]


@pytest.mark.django_db
def test_a_number_that_was_taken_meanwhile_is_refused_even_without_row_locks(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Merchant.objects.get(pk=merchant.pk)
    numbering.take_credit_note(merchant.pk)
    monkeypatch.setattr(numbering, "_locked", lambda _pk: stale)
    with pytest.raises(numbering.NumberTaken):
        numbering.take_credit_note(merchant.pk)


# --- what holds ---------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_note_is_frozen_as_it_is_issued(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, lines=[("Work", "1", "100.00", "23"), ("Stamps", "1", "10.00")]))
    assert invoice.total_minor == 13_300
    note = CreditNote.objects.get(pk=issue(invoice, 6_650).pk)
    assert (note.merchant, note.invoice, note.amount_minor, note.reason, note.issued_at) == (merchant, invoice, 6_650, "Late", NOW)
    assert rows(note.taxes) == [("VAT", 230_000, 5_000, 1_150), ("", 0, 500, 0)]


@pytest.mark.django_db
def test_a_note_knows_of_those_that_hold_and_of_no_other(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, lines=[("Work", "1", "81.30", "23")]))
    assert (invoice.total_minor, invoice.tax_minor) == (10_000, 1_870)
    first, gone = issue(invoice, 3_333), issue(invoice, 3_333)
    credit_notes.withdraw(gone, now=NOW)
    notes = [first, issue(invoice, 3_333), issue(invoice, 3_334)]
    assert [note.taxes[0]["tax_minor"] for note in notes] == [623, 624, 623]


@pytest.mark.django_db
def test_a_withdrawn_note_does_not_count_and_keeps_its_number(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    first, second = issue(invoice, 1_000), issue(invoice, 300)
    assert credit_notes.total(invoice) == 1_300
    credit_notes.withdraw(first, now=NOW)
    assert (credit_notes.total(invoice), CreditNote.objects.get(pk=first.pk).withdrawn_at) == (300, NOW)
    assert issue(invoice, 50).number == "CN-000003"
    credit_notes.restore(first)
    assert credit_notes.total(invoice) == 1_350
    assert (second.number, CreditNote.objects.get(pk=first.pk).withdrawn_at) == ("CN-000002", None)


@pytest.mark.django_db
def test_an_invoice_without_notes_has_none_to_take_off(merchant: Merchant) -> None:
    assert credit_notes.total(publish(make_draft(merchant))) == 0
