"""Reminders: the rules in the settings, and what a member does about those of one invoice."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import reminder_rules, reminder_words, reminders
from invoicing.forms.reminders import RemindersForm
from invoicing.models import Reminder, Status
from invoicing.views.scope import own
from merchants import clock
from merchants.access import MerchantRequest, needs

READ_OR_POST = ["GET", "HEAD", "POST"]


@needs("profile")
@require_http_methods(READ_OR_POST)
def settings(request: MerchantRequest) -> HttpResponse:
    """When open invoices are reminded of."""
    rules = reminder_rules.of(request.merchant)
    if request.POST.get("act") == "suggested":
        return _saved(request, list(reminder_rules.SUGGESTED))
    form = RemindersForm(request.POST if request.method == "POST" else None, rules=rules)
    if form.is_valid():
        return _saved(request, form.days())
    context = {
        "nav": "settings",
        "tab": "settings_reminders",
        "form": form,
        "rules": rules,
        "suggested": reminder_words.all_of(reminder_rules.SUGGESTED),
        "planned": _planned(request).count(),
        "next": _planned(request).first(),
        "at": f"{reminders.AT:%H:%M}",
    }
    return render(request, "invoicing/settings_reminders.html", context, status=422 if form.errors else 200)


def _planned(request: MerchantRequest) -> QuerySet[Reminder]:
    """What is to come, the next first. (Of a settled invoice nothing is, whatever is written down.)"""
    rows = Reminder.objects.filter(invoice__merchant=request.merchant, invoice__status=Status.OPEN, state=Reminder.State.PLANNED)
    return rows.select_related("invoice")


def _saved(request: MerchantRequest, days: list[int]) -> HttpResponse:
    changed = reminder_rules.change(request.merchant, days=days, by=request.user, now=clock.now())
    if not changed:
        messages.info(request, _("Nothing was changed."))
    elif days:
        messages.success(request, _("Saved. It holds for the invoices that are open now, and for new ones."))
    else:
        messages.success(request, _("Saved. No reminders are sent."))
    return redirect("settings_reminders", request.merchant.slug)


@needs("write")
@require_http_methods(READ_OR_POST)
def remind(request: MerchantRequest, pk: int) -> HttpResponse:
    """Remind the payer at once, after a question."""
    invoice, now = own(request, pk), clock.now()
    if request.method == "POST":
        try:
            reminders.remind(invoice, by=request.user, now=now)
        except reminders.Refused as reason:
            messages.warning(request, str(reason))
        else:
            messages.success(request, _("A reminder goes to %(payer)s at once.") % {"payer": invoice.payer_name})
        return redirect("invoice", request.merchant.slug, pk)
    context = {
        "nav": "invoices",
        "invoice": invoice,
        "objection": reminders.objection(invoice, now=now),
        "last": invoice.reminders.filter(state=Reminder.State.SENT).last(),
        "next": invoice.reminders.filter(state=Reminder.State.PLANNED, send_at__gt=now).first(),
        "now": now,
    }
    return render(request, "invoicing/remind.html", context)


@needs("write")
@require_POST
def switch(request: MerchantRequest, pk: int) -> HttpResponse:
    """The reminders of one open invoice, on or off."""
    invoice, on = own(request, pk), request.POST.get("remind") == "on"
    try:
        reminders.switch(invoice, on=on, by=request.user, now=clock.now())
    except reminders.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, _("Reminders are on for this invoice.") if on else _("No more reminders are sent for this invoice."))
    return redirect("invoice", request.merchant.slug, pk)
