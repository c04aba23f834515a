"""The first page: the few figures that matter, what came, what needs a hand, and the first steps of a new business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import attention, chart, overview_figures, timeline
from invoicing.filling import bare
from invoicing.models import Invoice, Schedule, Shelf
from invoicing.models.invoice import NEWEST
from invoicing.overview_figures import RANGES, USUAL
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from merchants.models import Event

SHORT = 5
EVENTS = 6
SIZES = (("wide", 560, 236), ("narrow", 330, 220))  # the second is for phones, where the first one's words would be too small
TOTAL = "total"
TOLD = tuple(kind for kind in timeline.SENTENCES if not kind.startswith("payer."))  # the directory is told on the payer's own page
TEAM = ("member.", "invitation.", "merchant.handed_over")


@needs("see")
@require_safe
def overview(request: MerchantRequest) -> HttpResponse:
    now, merchant = clock.now(), request.merchant
    latest = list(Invoice.objects.filter(merchant=merchant, shelf=Shelf.DESK).order_by(NEWEST)[:SHORT])
    sendings = overview_figures.sendings(merchant, now)
    context = {
        "nav": "overview",
        "now": now,
        "month_before": overview_figures.month_starts(now, merchant.time_zone)[1],
        "sums": overview_figures.sums(merchant, now, sendings=sendings),
        "matters": attention.matters(merchant, now, member=request.membership),
        "latest": latest,
        "going_out": sendings[:SHORT],
        "income": _income(request, now),
        "events": _events(request),
        "first_name": request.user.display_name.split()[0],
        "is_new": not latest and not sendings,
        "may_write": may(request.membership, "write"),
        "may_profile": may(request.membership, "profile"),
    }
    return render(request, "invoicing/overview.html", context)


# --- money received -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Choice:
    """A link that shows the chart another way."""

    word: Any
    query: str
    is_on: bool


def _income(request: MerchantRequest, now: datetime) -> dict[str, Any]:
    """The chart, its table, and the links that change it: ?range=, ?by=asset, ?currency=."""
    merchant, language = request.merchant, get_language() or "en"
    chosen = request.GET.get("range", "")
    chosen = chosen if chosen in RANGES else USUAL
    spans = overview_figures.spans(chosen, now, merchant.time_zone, language)
    found = overview_figures.income(merchant, since=spans[0].start, now=now)
    currencies = sorted({row.currency for row in found if row.minor}, key=lambda code: (code != merchant.currency, code))
    currency = request.GET.get("currency", "")
    currency = currency if currency in currencies else next(iter(currencies), merchant.currency)
    by_asset = request.GET.get("by") == "asset"
    columns = overview_figures.columns(found, spans, currency=currency)
    series = overview_figures.series_of(columns)

    def query(**changes: str) -> str:
        given = {"range": chosen, "by": "asset" if by_asset else "", "currency": currency} | changes
        usual = {"range": USUAL, "by": "", "currency": next(iter(currencies), merchant.currency)}
        return "?" + urlencode({name: value for name, value in given.items() if value != usual[name]})

    return {
        "currency": currency,
        "range_words": RANGES[chosen],
        "is_by_asset": by_asset,
        "series": series,
        "rows": [(column, [column.values.get(row.key, 0) for row in series]) for column in columns],
        "total_minor": sum(column.total for column in columns),
        "best": max(columns, key=lambda column: column.total),
        "last": columns[-1],
        "drawings": _drawings(columns, series, by_asset=by_asset, currency=currency, language=language),
        "ranges": [Choice(word, query(range=key), key == chosen) for key, word in RANGES.items()],
        "currencies": [Choice(code, query(currency=code), code == currency) for code in currencies] if len(currencies) > 1 else [],
        "total_query": query(by=""),
        "asset_query": query(by="asset"),
    }


def _drawings(
    columns: list[chart.Column], series: Sequence[overview_figures.Series], *, by_asset: bool, currency: str, language: str
) -> list[tuple[str, chart.Drawing]]:
    """The same chart in two sizes. In total, a bar is one piece; the last, which is not over, is told apart."""
    order = [f"series--{row.colour}" for row in series]
    colours = {row.key: f"series--{row.colour}" for row in series}
    if by_asset:
        shown = [chart.Column(column.name, column.tick, _coloured(column, colours)) for column in columns]
    else:
        order = ["bar", "bar-now"]
        last = columns[-1]
        shown = [chart.Column(column.name, column.tick, {"bar-now" if column is last else "bar": column.total}) for column in columns]
    order = list(dict.fromkeys(order))
    return [(name, chart.draw(shown, order, currency=currency, language=language, width=width, height=height)) for name, width, height in SIZES]


def _coloured(column: chart.Column, colours: dict[str, str]) -> dict[str, int]:
    """The column's money by colour; tokens that share one are one piece."""
    found: dict[str, int] = {}
    for key, minor in column.values.items():
        if minor:
            found[colours[key]] = found.get(colours[key], 0) + minor
    return found


# --- latest events ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Told:
    """An event, and what it is about; without a link when that is gone, or not for this member."""

    entry: timeline.Entry
    name: str
    link: str


def _events(request: MerchantRequest) -> list[Told]:
    """The newest events of the business, as sentences: three queries."""
    merchant = request.merchant
    events = list(Event.objects.filter(merchant=merchant, kind__in=TOLD).order_by("-id")[:EVENTS])
    invoices = Invoice.objects.filter(merchant=merchant).in_bulk({event.subject_id for event in events if event.subject_kind == "invoice"})
    schedules = Schedule.objects.filter(merchant=merchant).in_bulk({event.subject_id for event in events if event.subject_kind == "schedule"})
    may_profile = may(request.membership, "profile")

    def subject(event: Event) -> tuple[str, str]:
        if event.subject_kind == "invoice" and (invoice := invoices.get(event.subject_id)):
            return invoice.number or invoice.title or _("Draft"), reverse("invoice", args=[merchant.slug, invoice.pk])
        if event.subject_kind == "schedule" and (schedule := schedules.get(event.subject_id)):
            return bare(schedule.title) or _("Draft"), reverse("schedule", args=[merchant.slug, schedule.pk])
        if event.kind.startswith(TEAM):
            return _("Team"), reverse("settings_team", args=[merchant.slug])
        if event.subject_kind == "merchant" and may_profile:
            return _("Settings"), reverse("settings", args=[merchant.slug])
        return "", ""

    return [Told(timeline.entry(event, zone=merchant.time_zone), *subject(event)) for event in events]
