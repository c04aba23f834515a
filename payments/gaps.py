"""How far a key has been used: its addresses with money, and those handed out since.

Wallets find money by looking some addresses ahead of the last one that was paid, mostly 20 (BIP-44's gap limit). Invoices
that nobody pays leave unused addresses behind, and beyond such a gap a wallet does not show what came: it is not lost, but
the merchant has to raise the limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing.attention import Matter
from merchants.models import Merchant
from payments.families import family
from payments.models import ReceiveAddress, Transfer, Wallet

LIMIT = 20  # BIP-44, address gap limit
SHOWN_FROM = 15


@dataclass(frozen=True)
class Usage:
    """Of a key, on one family of networks. Indexes count from 0."""

    used: int | None  # the highest index with money; None before the first
    first: int | None  # the lowest index handed out
    following: int  # the index that is handed out next

    @property
    def gap(self) -> int:
        """How many addresses were handed out after the last one with money."""
        if self.first is None:
            return 0
        return self.following - (self.used + 1 if self.used is not None else self.first)

    @property
    def is_long(self) -> bool:
        return self.gap >= LIMIT

    @property
    def is_shown(self) -> bool:
        return self.gap >= SHOWN_FROM

    @property
    def limit_wanted(self) -> int:
        """A gap limit that finds everything, with room for the coming weeks; a round number."""
        return max(LIMIT, (self.gap // 10 + 2) * 10)


def with_usage(wallets: QuerySet[Wallet]) -> QuerySet[Wallet]:
    """The same wallets, ready for `usage` without another query."""
    money = Exists(Transfer.objects.filter(receive_address=OuterRef("pk")).exclude(status=Transfer.State.DROPPED))
    handed_out = ReceiveAddress.objects.filter(key=OuterRef("key"))
    return wallets.annotate(
        used_to=Subquery(handed_out.filter(money, family=OuterRef("family")).order_by("-index").values("index")[:1]),
        handed_from=Subquery(handed_out.order_by("index").values("index")[:1]),
        next_index=F("key__next_index"),
    )


def usage(wallet: Wallet) -> Usage | None:
    """How far the key of `wallet` has been used; None for a fixed address."""
    if wallet.key_id is None:
        return None
    if not hasattr(wallet, "used_to"):
        wallet = with_usage(Wallet.objects.filter(pk=wallet.pk)).get()
    return Usage(wallet.used_to, wallet.handed_from, wallet.next_index)  # type: ignore[attr-defined]


def with_money(rows: QuerySet[ReceiveAddress]) -> QuerySet[ReceiveAddress]:
    """The same addresses, each with `has_money`."""
    return rows.annotate(has_money=Exists(Transfer.objects.filter(receive_address=OuterRef("pk")).exclude(status=Transfer.State.DROPPED)))


def used_index(wallet: Wallet) -> int | None:
    """The highest index that received money."""
    found = usage(wallet)
    return found.used if found else None


def gap(wallet: Wallet) -> int:
    """How many addresses were handed out since the last one that received money."""
    found = usage(wallet)
    return found.gap if found else 0


def long_gaps(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Keys of which more addresses wait than a wallet looks ahead: what needs a hand on the overview."""
    active = Wallet.objects.filter(merchant=merchant, retired_at=None, way=Wallet.Way.KEY)
    for wallet in with_usage(active).order_by("id"):
        found = usage(wallet)
        if found is None or not found.is_long:
            continue
        words = ngettext(
            "%(count)d address was handed out since the last one that was paid.",
            "%(count)d addresses were handed out since the last one that was paid.",
            found.gap,
        )
        yield Matter(
            "wallet",
            "amber",
            _("Your %(network)s wallet may not show the next payment") % {"network": family(wallet.family).name},
            words % {"count": found.gap},
            reverse("wallet", args=[merchant.slug, wallet.pk]),
            _("What to do"),
        )
