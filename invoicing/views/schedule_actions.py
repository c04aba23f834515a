"""What a member does to a schedule: publish, pause, resume, stop, copy, delete; skip one, put it back, send it now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import lifecycle, occurrences, planning, schedule_queries, schedules
from invoicing.models import Occurrence, Schedule, ScheduleStatus
from invoicing.views.schedules import number_of
from invoicing.views.scope import key_of, own_schedule
from merchants import clock, haste
from merchants.access import MerchantRequest, needs

READ_OR_POST = ["GET", "HEAD", "POST"]
LISTED = 12
PAST_CHOICES = ("skip", "issue")


def _page(request: MerchantRequest, schedule: Schedule, **query: Any) -> HttpResponse:
    path = reverse("schedule", args=[request.merchant.slug, schedule.pk])
    return redirect(f"{path}?{urlencode(query)}" if query else path)


def _ask(request: MerchantRequest, template: str, schedule: Schedule, **more: Any) -> HttpResponse:
    return render(request, f"invoicing/{template}.html", {"nav": "schedules", "schedule": schedule, "now": clock.now(), **more})


def _done(request: MerchantRequest, schedule: Schedule, act: Callable[[], Any], said: str) -> HttpResponse:
    """Do it, say it, and go back to its page; a refusal is said there too."""
    try:
        act()
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, said)
    return _page(request, schedule)


def _number(request: MerchantRequest) -> int:
    return number_of((request.POST if request.method == "POST" else request.GET).get("k", "")) or 0


# --- the whole schedule ---------------------------------------------------------------------------------------------
@needs("write")
@require_http_methods(READ_OR_POST)
def publish(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule, now = own_schedule(request, pk), clock.now()
    if schedule.status != ScheduleStatus.DRAFT:
        messages.info(request, _("%(name)s is already published.") % {"name": schedule.name})
        return _page(request, schedule)
    if request.method != "POST":
        dates = occurrences.coming(schedule, most=3)
        segments = list(schedule.segments.all())
        zone = segments[-1].zone if segments else request.merchant.time_zone
        return _ask(
            request,
            "schedule_publish",
            schedule,
            blockers=schedules.blockers(schedule, now),
            dates=dates,
            zone=zone,
            is_now=bool(dates and dates[0].planned_at <= now),
            when=schedule_queries.when_words(segments),
        )
    try:
        schedules.publish(schedule, by=request.user, version=number_of(request.POST.get("version", "")) or 0, now=now)
    except lifecycle.MovedOn as reason:
        messages.warning(request, str(reason))
        return redirect("schedule_publish", request.merchant.slug, pk)
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, schedule)
    haste.wake("invoicing.tasks.run_schedules")
    messages.success(request, _("%(name)s is published.") % {"name": schedule.name})
    return _page(request, schedule)


@needs("write")
@require_POST
def pause(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule = own_schedule(request, pk)
    said = _("Paused. Nothing is sent until it is resumed; no date moves.")
    return _done(request, schedule, lambda: schedules.pause(schedule, by=request.user, now=clock.now()), said)


@needs("write")
@require_http_methods(READ_OR_POST)
def resume(request: MerchantRequest, pk: int) -> HttpResponse:
    """Go on; where something was planned meanwhile, its author says what becomes of it."""
    schedule, now = own_schedule(request, pk), clock.now()
    if schedule.status != ScheduleStatus.PAUSED:
        messages.info(request, _("%(name)s is not paused.") % {"name": schedule.name})
        return _page(request, schedule)
    past, waiting = request.POST.get("past", ""), schedule_queries.meanwhile(schedule, now)
    if request.method != "POST" or (waiting and past not in PAST_CHOICES):
        more = {"waiting": waiting, "zone": _zone(request, schedule), "listed": LISTED, "is_unanswered": request.method == "POST"}
        return _ask(request, "schedule_resume", schedule, **more)
    answer = _done(
        request,
        schedule,
        lambda: schedules.resume(schedule, skip_past=past == "skip", by=request.user, now=now),
        _("Resumed. What was planned meanwhile is skipped.") if waiting and past == "skip" else _("Resumed."),
    )
    haste.wake("invoicing.tasks.run_schedules")
    return answer


def _zone(request: MerchantRequest, schedule: Schedule) -> str:
    segment = schedule.segments.last()
    return segment.zone if segment else request.merchant.time_zone


@needs("write")
@require_http_methods(READ_OR_POST)
def stop(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule = own_schedule(request, pk)
    if not schedule.is_running:
        words = _("%(name)s was not published; delete it instead.") if schedule.status == ScheduleStatus.DRAFT else _("%(name)s has ended already.")
        messages.info(request, words % {"name": schedule.name})
        return _page(request, schedule)
    if request.method != "POST":
        more = {"figures": schedule_queries.figures(schedule), "dates": occurrences.coming(schedule, most=3), "zone": _zone(request, schedule)}
        return _ask(request, "schedule_stop", schedule, **more)
    said = _("%(name)s is stopped. Nothing more is sent.") % {"name": schedule.name}
    return _done(request, schedule, lambda: schedules.stop(schedule, by=request.user, now=clock.now()), said)


@needs("write")
@require_POST
def duplicate(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule = own_schedule(request, pk)
    copy = planning.duplicate(schedule, by=request.user, form_key=key_of(request), now=clock.now())
    messages.success(request, _("This draft is a copy of %(name)s, from its next date on.") % {"name": schedule.name})
    return redirect("schedule_edit", request.merchant.slug, copy.pk)


@needs("write")
@require_http_methods(READ_OR_POST)
def delete(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule = own_schedule(request, pk)
    if request.method != "POST" and schedule.status == ScheduleStatus.DRAFT:
        return _ask(request, "schedule_delete", schedule)
    if request.method != "POST":
        messages.info(request, _("%(name)s was published; it can be stopped, not deleted.") % {"name": schedule.name})
        return _page(request, schedule)
    try:
        planning.delete(schedule, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, schedule)
    messages.success(request, _("Deleted: %(name)s.") % {"name": schedule.name})
    return redirect("schedules", request.merchant.slug)


# --- one occurrence -------------------------------------------------------------------------------------------------
@needs("write")
@require_POST
def skip(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule, k = own_schedule(request, pk), _number(request)
    try:
        schedules.skip(schedule, k, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, schedule)
    if Occurrence.objects.filter(schedule=schedule, k=k, planned_at__gt=clock.now()).exists():
        return _page(request, schedule, skipped=k)  # the page says it, and offers to put it back
    messages.success(request, _("No. %(k)d is skipped.") % {"k": k})
    return _page(request, schedule)


@needs("write")
@require_POST
def put_back(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule, k = own_schedule(request, pk), _number(request)
    said = _("No. %(k)d is back among the coming ones.") % {"k": k}
    return _done(request, schedule, lambda: schedules.put_back(schedule, k, by=request.user, now=clock.now()), said)


@needs("write")
@require_http_methods(READ_OR_POST)
def send(request: MerchantRequest, pk: int) -> HttpResponse:
    """Send one now that was not sent: the next one, or one that was missed, held or skipped."""
    schedule, k, now = own_schedule(request, pk), _number(request), clock.now()
    if request.method == "POST":
        said = _("No. %(k)d goes to %(email)s at once.") % {"k": k, "email": schedule.payer_email}
        return _done(request, schedule, lambda: schedules.send_now(schedule, k, by=request.user, now=now), said)
    row = Occurrence.objects.filter(schedule=schedule, k=k).first()
    is_next = schedule.is_running and schedule.next_at is not None and k == schedule.next_k
    if schedule.status == ScheduleStatus.STOPPED or (row is None and not is_next) or (row and row.state == Occurrence.State.ISSUED):
        words = _("No. %(k)d has gone out already.") if row and row.invoice_id else _("No. %(k)d cannot be sent now.")
        messages.info(request, words % {"k": k})
        return _page(request, schedule)
    invoice, _lines = occurrences.unsaved(schedule, k, sent_at=now, from_now=now)
    planned_at = row.planned_at if row else schedule.next_at
    more = {"k": k, "invoice": invoice, "planned_at": planned_at, "zone": _zone(request, schedule), "is_late": row is not None}
    return _ask(request, "schedule_send", schedule, blockers=lifecycle.blockers(invoice, now), **more)
