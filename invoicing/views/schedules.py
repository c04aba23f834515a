"""Recurring: the list, and a schedule's own page with every occurrence."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import schedule_queries, schedules, snapshot, standing, timeline, uploads
from invoicing.models import Invoice, Schedule, ScheduleStatus, Segment
from invoicing.models.schedule import ENDED
from invoicing.schedule_queries import AHEAD, MOST_AHEAD, SHOWS, Rows, Table
from invoicing.views.scope import key_of, own_schedule
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from merchants.models import Event

EVENTS = 30
VIEWS = ("all", "sent", "coming")
TURNS = {
    ScheduleStatus.PAUSED: "schedule.paused",
    ScheduleStatus.STOPPED: "schedule.stopped",
    ScheduleStatus.COMPLETED: "schedule.completed",
}


def number_of(text: str) -> int | None:
    """A whole number of a URL or a form; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


# --- the list -------------------------------------------------------------------------------------------------------
@needs("see")
@require_safe
def schedule_list(request: MerchantRequest) -> HttpResponse:
    show = request.GET.get("show", "") if request.GET.get("show", "") in SHOWS else "all"
    search = request.GET.get("q", "").replace("\0", "").strip()[:100]
    rows, page = schedule_queries.page(request.merchant, show=show, search=search, at=request.GET.get("at", ""))
    is_narrowed = show != "all" or search != ""
    kept = {name: value for name, value in (("show", show if show != "all" else ""), ("q", search)) if value}
    context = {
        "nav": "schedules",
        "rows": rows,
        "show": show,
        "search": search,
        "is_narrowed": is_narrowed,
        "is_new": not rows and not is_narrowed and not Schedule.objects.filter(merchant=request.merchant).exists(),
        "chips": [(key, word, _query(kept | {"show": key}, drop="all")) for key, (word, _condition) in SHOWS.items()],
        "newer": _query({**kept, "at": page.newer}) if page.newer else "",
        "older": _query({**kept, "at": page.older}) if page.older else "",
        "may_write": may(request.membership, "write"),
    }
    return render(request, "invoicing/schedules.html", context)


def _query(values: dict[str, str], *, drop: str = "") -> str:
    return "?" + urlencode({name: value for name, value in values.items() if not (name == "show" and value == drop)})


# --- one schedule ---------------------------------------------------------------------------------------------------
@needs("see")
@require_safe
def schedule(request: MerchantRequest, pk: int) -> HttpResponse:
    found, now = own_schedule(request, pk), clock.now()
    segments = list(found.segments.all())
    zone = segments[-1].zone if segments else request.merchant.time_zone
    may_write = may(request.membership, "write")
    rows, asked = _rows(request, Table(found, segments, now))
    waiting = schedule_queries.meanwhile(found, now)
    troubles, trouble_count = schedule_queries.troubles(found) if found.status != ScheduleStatus.STOPPED else ([], 0)
    context: dict[str, Any] = {
        "nav": "schedules",
        "now": now,
        "schedule": found,
        "badge": standing.schedule_standing(found),
        "zone": zone,
        "when": schedule_queries.when_words(segments),
        "figures": schedule_queries.figures(found),
        "rows": rows,
        **asked,
        **_events(request, found, zone),
        "lines": list(found.lines.all()),
        "attachments": list(found.attachments.all()),
        "tokens": tokens_of(found),
        "troubles": troubles,
        "more_troubles": max(trouble_count - len(troubles), 0),
        "waiting": len(waiting.issued) + len(waiting.missed),
        "turn": _turn(found),
        "may_write": may_write,
        "form_key": key_of(request),
        "undo": _undo(request, rows) if may_write else None,
        "blockers": schedules.blockers(found, now) if found.status == ScheduleStatus.DRAFT and may_write else [],
    }
    context |= {"first": _first(segments, found), "is_ended": found.status in ENDED}
    return render(request, "invoicing/schedule.html", context)


def _rows(request: MerchantRequest, table: Table) -> tuple[Rows, dict[str, Any]]:
    """The rows this URL asks for, and what the links beside them say."""
    show = request.GET.get("show", "") if request.GET.get("show", "") in VIEWS else "all"
    before = number_of(request.GET.get("before", ""))
    shown = min(max(number_of(request.GET.get("coming", "")) or AHEAD, 1), MOST_AHEAD)
    before = None if show == "coming" else before
    views = [(key, word, _query({"show": key}, drop="all")) for key, word in zip(VIEWS, (_("All"), _("Sent"), _("Coming")), strict=True)]
    return table.read(show=show, before=before, shown=shown), {
        "show": show,
        "views": views,
        "before": before,
        "earlier_query": {"show": show} if show != "all" else {},
    }


def _events(request: MerchantRequest, found: Schedule, zone: str) -> dict[str, Any]:
    """A page of what happened, the newest first; `?events=` is the event before which the page begins."""
    told = Event.objects.filter(merchant_id=found.merchant_id, subject_kind="schedule", subject_id=found.pk).order_by("-id")
    before = number_of(request.GET.get("events", ""))
    page = list((told.filter(pk__lt=before) if before else told)[: EVENTS + 1])
    return {
        "timeline": [timeline.entry(event, zone=zone) for event in page[:EVENTS]],
        "older_events": page[EVENTS - 1].pk if len(page) > EVENTS else None,
        "has_newer_events": before is not None,
    }


def _turn(found: Schedule) -> Event | None:
    """Who paused or stopped it and when, or when it was completed."""
    kind = TURNS.get(ScheduleStatus(found.status))
    if kind is None:
        return None
    return Event.objects.filter(merchant_id=found.merchant_id, subject_kind="schedule", subject_id=found.pk, kind=kind).order_by("-id").first()


def _undo(request: MerchantRequest, rows: Rows) -> int | None:
    """The No. that was skipped on the page before this one, while it can still be put back."""
    skipped = number_of(request.GET.get("skipped", ""))
    return next((row.k for row in rows.ahead if row.k == skipped and "put_back" in row.acts), None)


def _first(segments: list[Segment], found: Schedule) -> Any:
    """When a draft's first invoice would go out."""
    return segments[0].planned(1) if segments and found.status == ScheduleStatus.DRAFT else None


def tokens_of(found: Schedule) -> list[str]:
    """One line a token with its networks, as its next invoice would take them: 'USDC on Base, Ethereum'."""
    networks: dict[str, list[str]] = {}
    for asset in snapshot.assets_for(Invoice(merchant=found.merchant, all_assets=found.all_assets, asset_ids=found.asset_ids)):
        networks.setdefault(asset.symbol, []).append(asset.network.name)
    return [_("%(token)s on %(networks)s") % {"token": symbol, "networks": ", ".join(names)} for symbol, names in networks.items()]


@needs("see")
@require_safe
def attachment(request: MerchantRequest, pk: int, file_id: str) -> HttpResponse:
    return cast(HttpResponse, uploads.download(get_object_or_404(own_schedule(request, pk).attachments.all(), public_id=file_id)))
