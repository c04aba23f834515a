"""Gapless invoice numbers: taken in the issuing transaction, so that a rollback gives the number back."""

from __future__ import annotations

from merchants.models import Merchant


def take(merchant_id: int) -> str:
    """The merchant's next number, `INV-000001`. Must be the last lock of its transaction; holds it to the end."""
    merchant = Merchant.objects.select_for_update().only("number_prefix", "next_number").get(pk=merchant_id)
    taken = merchant.next_number
    if not Merchant.objects.filter(pk=merchant_id, next_number=taken).update(next_number=taken + 1):
        raise NumberTaken(f"Number {taken} was taken by another transaction.")
    return f"{merchant.number_prefix}{taken:06d}"


class NumberTaken(RuntimeError):
    """Two transactions wanted the same number; cannot happen under the lock."""
