"""What Save, Preview and Publish do with a page that is in order: one call to the domain, and where to go from there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from invoicing import authoring, lifecycle, planning, schedules
from invoicing.forms import Entry
from invoicing.forms.fields import day_in_words
from invoicing.models import Invoice, Schedule, Status
from merchants import moments
from merchants.access import MerchantRequest
from merchants.models import Event


def save(request: MerchantRequest, entry: Entry) -> Invoice | Schedule:
    """Store the page. Raises what `authoring` and `planning` do, and DoesNotExist when it was deleted meanwhile."""
    common: dict[str, Any] = {
        "merchant": request.merchant,
        "by": request.user,
        "version": entry.version,
        "form_key": entry.form_key,
        "now": entry.now,
    }
    removed = entry.attachments.removed
    if entry.is_recurring:
        return planning.save(
            entry.schedule, cleaned=entry.plan(), timing=entry.timing(), shown_next=entry.rule.next_shown, removed_files=removed, **common
        )
    return authoring.save_draft(entry.invoice, cleaned=entry.content(), removed_files=removed, **common)


def save_apart(request: MerchantRequest, entry: Entry) -> HttpResponse:
    """Store the page as a new draft, whatever became of what it was opened for."""
    common: dict[str, Any] = {"merchant": request.merchant, "by": request.user, "form_key": entry.form_key, "now": entry.now}
    removed = entry.attachments.removed
    saved: Invoice | Schedule
    if entry.is_recurring:
        saved = planning.save_apart(entry.schedule, cleaned=entry.plan(), timing=entry.timing(), removed_files=removed, **common)
    else:
        saved = authoring.save_apart(entry.invoice, cleaned=entry.content(), removed_files=removed, **common)
    messages.success(request, _("Saved as a new draft."))
    return redirect(_name(saved, "edit"), request.merchant.slug, saved.pk)


def onward(request: MerchantRequest, saved: Invoice | Schedule, entry: Entry, act: str) -> HttpResponse:
    """Where to go after saving: on with writing, to the preview, to the question before publishing, or to its page."""
    slug = request.merchant.slug
    if act == "preview":
        return redirect(_name(saved, "preview"), slug, saved.pk)
    if runs(saved):
        messages.success(request, _("Saved. It goes out as scheduled.") if isinstance(saved, Invoice) else _went_on(saved, entry.now))
        return redirect(_name(saved), slug, saved.pk)
    if act != "publish":
        messages.success(request, _("Draft saved."))
        return redirect(_name(saved, "edit"), slug, saved.pk)
    if blockers(saved, entry.now):
        answer = redirect(_name(saved, "edit"), slug, saved.pk)
        answer["Location"] += "?publish"
        return answer
    return redirect(_name(saved, "publish"), slug, saved.pk)


def _name(saved: Invoice | Schedule, page: str = "") -> str:
    """The name of its URL: 'schedule_edit'."""
    kind = str(saved._meta.model_name)
    return f"{kind}_{page}" if page else kind


def _went_on(schedule: Schedule, now: datetime) -> str:
    said = _("Saved. It holds from No. %(k)d on.") % {"k": schedule.next_k}
    if not schedule.forgotten:
        return said
    days = ", ".join(day_in_words(day, now) for day in schedule.forgotten)
    return f"{said} {_('The new dates have no %(days)s, which you had skipped.') % {'days': days}}"


def runs(saved: Invoice | Schedule | None) -> bool:
    """Whether saving it changes what goes out by itself: then everything is asked for that publishing asks for."""
    if isinstance(saved, Schedule):
        return saved.is_running
    return saved is not None and saved.status == Status.SCHEDULED


def blockers(saved: Invoice | Schedule, now: datetime) -> list[str]:
    """Why it may not be published, as sentences."""
    return schedules.blockers(saved, now) if isinstance(saved, Schedule) else lifecycle.blockers(saved, now)


def current(entry: Entry) -> Invoice | Schedule | None:
    """What the page was opened for, as it is now; None when it is gone, or was new."""
    saved = entry.saved
    return type(saved)._default_manager.filter(pk=saved.pk).first() if saved else None


def saved_at(saved: Invoice | Schedule | None, now: datetime) -> str:
    """When its contents were last saved: '10:42', on another day '16 Nov 2026, 10:42'; '' for a new one."""
    if saved is None:
        return ""
    name = str(saved._meta.model_name)
    kinds = (f"{name}.created", f"{name}.edited")
    event = Event.objects.filter(merchant=saved.merchant_id, subject_kind=name, subject_id=saved.pk, kind__in=kinds).order_by("-id").first()
    if event is None:
        return ""
    zone = saved.merchant.time_zone
    is_today = moments.local(event.at, zone).date() == moments.local(now, zone).date()
    return f"{moments.local(event.at, zone):%H:%M}" if is_today else moments.short(event.at, zone)
