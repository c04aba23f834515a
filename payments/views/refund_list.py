"""The refunds of all invoices: filters are links, pages go by key, and the same rows as a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import queries
from invoicing.models import Payer
from invoicing.pdf import account
from invoicing.snapshot import document
from invoicing.standing import REFUNDS, Badge
from merchants import assets, clock
from merchants.access import MerchantRequest, needs
from merchants.models import Merchant
from payments import refund_exports, refund_filters
from payments.models import LIVE, Refund
from payments.refund_filters import NEWEST, SHOWS, RefundFilter, Totals
from payments.slips import asset_of

MOST_PAYERS = 200  # in the choice of payers


@dataclass(frozen=True)
class Chip:
    key: str
    word: str | Promise
    query: str
    is_on: bool
    count: int


@dataclass(frozen=True)
class Row:
    """A refund with how it stands, and what it goes out in as its invoice froze it."""

    refund: Refund
    badge: Badge
    asset: dict[str, Any]
    is_live: bool


@needs("see")
@require_safe
def refunds(request: MerchantRequest) -> HttpResponse:
    merchant = request.merchant
    asked, notices = RefundFilter.read(request.GET, merchant=merchant)
    for notice in notices:
        messages.info(request, notice)
    page = queries.page(asked.apply(merchant).select_related("invoice", "credit_note"), NEWEST, at=request.GET.get("at", ""))
    sums = refund_filters.totals(asked, merchant)
    context = {
        "nav": "refunds",
        "rows": [_row(refund) for refund in page.rows],
        "asked": asked,
        "query": asked.to_query(),
        "sums": sums,
        "newer": "?" + asked.to_query(at=page.newer) if page.newer else "",
        "older": "?" + asked.to_query(at=page.older) if page.older else "",
        "is_new": not page.rows and not asked.is_narrowed,
        "chips": _chips(asked, sums),
        **_choices(merchant, asked),
    }
    return render(request, "payments/refunds.html", context)


@needs("see")
@require_safe
def csv(request: MerchantRequest) -> HttpResponse:
    """Every row that the list has for this URL, in its order."""
    asked, _notices = RefundFilter.read(request.GET, merchant=request.merchant)
    return refund_exports.refunds_csv(asked, request.merchant, now=clock.now())  # type: ignore[return-value]


def _row(refund: Refund) -> Row:
    return Row(refund, REFUNDS[refund.status], asset_of(document(refund.invoice), refund.asset_id), refund.status in LIVE)


def _chips(asked: RefundFilter, sums: Totals) -> list[Chip]:
    return [Chip(key, show.word, "?" + asked.but(show=key).to_query(), key == asked.show, sums.counts[key]) for key, show in SHOWS.items()]


def _choices(merchant: Merchant, asked: RefundFilter) -> dict[str, Any]:
    """What the pickers offer: of tokens and payers those that some refund has; and the words of what is picked."""
    used = set(Refund.objects.filter(merchant=merchant).order_by().values_list("asset_id", flat=True).distinct())
    payers = list(Payer.objects.filter(merchant=merchant, invoices__refunds__isnull=False).distinct().order_by("name", "id")[:MOST_PAYERS])
    known = assets.catalogue().assets
    return {
        "payers": payers if asked.payer is None else [],
        "assets": [known[pk] for pk in known if pk in used],
        "asset_word": known[asked.asset].label if asked.asset else "",
        "currencies": assets.catalogue().currencies,
        "date_words": _date_words(asked),
    }


def _date_words(asked: RefundFilter) -> str:
    """'Asked 1 Oct 2026 – 17 Nov 2026'."""
    language = get_language() or "en"
    if asked.since and asked.until:
        return _("Asked %(days)s") % {"days": account.period(asked.since, asked.until, language)}
    day = asked.since or asked.until
    written = account.day_words(day, language) if day else ""
    return _("Asked from %(day)s") % {"day": written} if asked.since else _("Asked until %(day)s") % {"day": written} if asked.until else ""
