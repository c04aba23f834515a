"""The list of invoices: filters and orders are links, pages go by key, totals come after the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.dates import format_date
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_safe

from invoicing import exports, queries
from invoicing.filters import SHOWS, Filter
from invoicing.models import Invoice, Payer
from invoicing.money import locale_of
from merchants import assets, clock
from merchants.access import MerchantRequest, may, needs

FIRST = ("all", "draft", "scheduled", "open", "overdue", "paid", "void", "missed")  # as chips; the rest stand behind 'More'
MOST_PAYERS = 200  # in the choice of payers; the directory has them all


@dataclass(frozen=True)
class Chip:
    key: str
    word: str | Promise
    query: str
    is_on: bool
    count: int | None  # None until it is counted


@dataclass(frozen=True)
class Head:
    """The head of a column that sorts: a press takes the next of its orders, and after the last the usual one."""

    word: str | Promise
    hint: str | Promise
    query: str
    direction: str  # aria-sort; empty when rows are not sorted by it
    kind: str  # CSS


# column → (word, what it sorts by, its orders as they are pressed, class)
SORTED: dict[str, tuple[str | Promise, str | Promise, tuple[str, ...], str]] = {
    "payer": (_l("Payer"), _l("Sort by payer"), ("payer", "-payer"), ""),
    "when": (_l("When"), _l("Sort by due time"), ("due", "-due"), ""),
    "amount": (_l("Amount"), _l("Sort by amount, each currency by itself"), ("-amount", "amount"), "num"),
}


@needs("see")
@require_safe
def invoices(request: MerchantRequest) -> HttpResponse:
    now = clock.now()
    asked, notices = Filter.read(request.GET, merchant=request.merchant)
    page = queries.page(asked.apply(request.merchant, now), asked.order, at=request.GET.get("at", ""))
    for notice in notices:
        messages.info(request, notice)
    sums = queries.totals(asked, request.merchant, now) if request.GET.get("totals") == "1" else None
    kept = {"totals": "1"} if sums else {}
    context = {
        "nav": "invoices",
        "now": now,
        "page": page,
        "asked": asked,
        "query": asked.to_query(),
        "sums": sums,
        "with_totals": asked.to_query(totals="1"),
        "newer": "?" + asked.to_query(at=page.newer, **kept) if page.newer else "",
        "older": "?" + asked.to_query(at=page.older, **kept) if page.older else "",
        "heads": {column: _head(column, asked) for column in SORTED},
        "is_new": not page.rows and not asked.is_narrowed and not Invoice.objects.filter(merchant=request.merchant).exists(),
        "may_write": may(request.membership, "write"),
        "today": exports.moment(now, request.merchant.time_zone)[:10],
        **_choices(request, asked),
        **_chips(asked, sums),
    }
    return render(request, "invoicing/list.html", context)


@needs("see")
@require_safe
def totals(request: MerchantRequest) -> HttpResponse:
    """The totals and counts alone, for the page that shows its rows already."""
    asked, _notices = Filter.read(request.GET, merchant=request.merchant)
    sums = queries.totals(asked, request.merchant, clock.now())
    answer = render(request, "invoicing/_list_totals.html", {"asked": asked, "sums": sums, **_chips(asked, sums)})
    answer["Cache-Control"] = "private, no-store"
    return answer


@needs("see")
@require_safe
def csv(request: MerchantRequest) -> HttpResponse:
    """Every row that the list has for this URL, in its order."""
    now: datetime = clock.now()
    asked, _notices = Filter.read(request.GET, merchant=request.merchant)
    rows = exports.invoice_rows(asked.apply(request.merchant, now), merchant=request.merchant, now=now)
    return exports.stream(exports.file_name("invoices", request.merchant, now), exports.invoice_header(), rows)  # type: ignore[return-value]


def _chips(asked: Filter, sums: queries.Totals | None) -> dict[str, list[Chip]]:
    counts: dict[str, int] = sums.counts if sums else {}
    made = {
        key: Chip(key, show.word, "?" + asked.but(show=key).to_query(**({"totals": "1"} if sums else {})), key == asked.show, counts.get(key))
        for key, show in SHOWS.items()
    }
    first = [made[key] for key in FIRST]
    if asked.show not in FIRST:
        first.append(made[asked.show])
    return {"chips": first, "more_chips": [chip for key, chip in made.items() if key not in FIRST]}


def _head(column: str, asked: Filter) -> Head:
    word, hint, orders, kind = SORTED[column]
    place = orders.index(asked.sort) + 1 if asked.sort in orders else 0
    following = orders[place] if place < len(orders) else ""
    direction = ("descending" if asked.sort.startswith("-") else "ascending") if place else ""
    return Head(word, hint, "?" + asked.but(sort=following).to_query(), direction, kind)


def _choices(request: MerchantRequest, asked: Filter) -> dict[str, Any]:
    """What the pickers offer, and the words of what is picked."""
    usable = assets.usable_by(request.merchant)
    payers = list(Payer.objects.filter(merchant=request.merchant).order_by("name", "id")[: MOST_PAYERS + 1])
    if asked.payer and asked.payer not in payers[:MOST_PAYERS]:
        payers = [asked.payer, *payers]
    return {
        "payers": payers[:MOST_PAYERS],
        "has_more_payers": len(payers) > MOST_PAYERS,
        "assets": usable,
        "currencies": assets.catalogue().currencies,
        "asset_word": next((found.label for found in usable if found.id == asked.asset), ""),
        "shelf_query": "?" + asked.but(archived=not asked.archived).to_query(),
        "date_words": _date_words(asked),
    }


def _date_words(asked: Filter) -> str:
    """'Issued 1 Oct – 17 Nov 2026'."""
    locale = locale_of(get_language() or "en")
    since, until = (format_date(day, "d MMM y", locale=locale) if day else "" for day in (asked.since, asked.until))
    if asked.since and asked.until:
        short = asked.since.year == asked.until.year
        return _("Issued %(since)s – %(until)s") % {"since": format_date(asked.since, "d MMM", locale=locale) if short else since, "until": until}
    return _("Issued from %(day)s") % {"day": since} if since else _("Issued until %(day)s") % {"day": until} if until else ""
