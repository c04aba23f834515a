"""Writing an invoice, new or not yet issued. Whatever is wrong with it comes back with everything that was typed.

The page writes schedules too: see `schedule_form`, which posts through here.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import lifecycle, sniffing, uploads
from invoicing.forms import ONE_TIME, Entry
from invoicing.models import Invoice, Schedule
from invoicing.views import payers, saving
from invoicing.views.scope import own, own_schedule
from merchants import clock
from merchants.access import MerchantRequest, needs
from merchants.models import Event

DELETED = {"invoice": "invoice.deleted", "schedule": "schedule.deleted"}


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: MerchantRequest) -> HttpResponse:
    if request.method == "POST":
        return posted(request)
    return show(request, Entry(request.merchant, now=clock.now()))


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: MerchantRequest, pk: int) -> HttpResponse:
    try:
        invoice = own(request, pk)
    except Http404:
        return deleted(request, pk, kind=ONE_TIME, subject="invoice")
    if request.method == "POST":
        return posted(request, invoice=invoice)
    if not invoice.is_editable:
        messages.info(request, _("%(name)s has been issued; what it says can no longer be changed.") % {"name": invoice.name})
        return redirect("invoice", request.merchant.slug, pk)
    return again(request, Entry(request.merchant, now=clock.now(), invoice=invoice))


@needs("write")
@require_POST
def totals(request: MerchantRequest) -> HttpResponse:
    """What the values on the page come to, and the dates they make, as the parts of the page that show it."""
    pk = key(request, "schedule")
    schedule = own_schedule(request, pk) if pk else None
    entry = Entry(request.merchant, now=clock.now(), schedule=schedule, data=request.POST, judged=False)
    context = {"entry": entry, "sums": entry.sums(), "dates": entry.dates(), "merchant": request.merchant, "now": entry.now}
    return render(request, "invoicing/_totals.html", context)


def key(request: MerchantRequest, name: str) -> int | None:
    """The id in `?name=` or in the posted field of that name; None where there is none."""
    given = request.POST.get(name, "") or request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def deleted(request: MerchantRequest, pk: int, *, kind: str, subject: str) -> HttpResponse:
    """Deleted while somebody was writing: what they typed is not to be lost with it. 404 for what never was."""
    was = Event.objects.filter(merchant=request.merchant, kind=DELETED[subject], subject_id=pk)
    if request.method != "POST" or not was.exists():
        raise Http404
    return posted(request, kind=kind, trouble=_("This draft was deleted while you were writing."))


def again(request: MerchantRequest, entry: Entry) -> HttpResponse:
    """The page of something saved; after a refused Publish (`?publish`) with what stands in its way."""
    reasons = saving.blockers(entry.saved, entry.now) if entry.saved and "publish" in request.GET else []
    return show(request, entry, reasons=reasons)


def posted(
    request: MerchantRequest, *, invoice: Invoice | None = None, schedule: Schedule | None = None, kind: str = ONE_TIME, trouble: str = ""
) -> HttpResponse:
    """What was sent from the page. `trouble`: why it cannot be saved where it came from."""
    act = request.POST.get("act", "")
    changing = any(name in request.POST for name in ("add_line", "remove_line", "drop_file")) or act == "count"
    entry = Entry(
        request.merchant,
        now=clock.now(),
        invoice=invoice,
        schedule=schedule,
        source=_source(request) if invoice is None and schedule is None else None,
        kind=kind,
        data=request.POST,
        publishing=act == "publish" or saving.runs(invoice or schedule),
        judged=not changing,
    )
    _take_files(request, entry)
    if changing:
        _change(request, entry)
        return show(request, entry)
    if not entry.is_valid():
        return show(request, entry, trouble=trouble)
    if act == "copy":
        return saving.save_apart(request, entry)
    if trouble:
        return show(request, entry, trouble=trouble)
    return _save(request, entry, act)


def _source(request: MerchantRequest) -> Invoice | None:
    """The invoice that the page was filled from, until its files are the page's own."""
    pk = key(request, "source")
    return Invoice.objects.filter(merchant=request.merchant, pk=pk).first() if pk else None


def _take_files(request: MerchantRequest, entry: Entry) -> None:
    """Store what came with the form, whatever else is wrong with it: a chosen file is not to be chosen twice."""
    files = entry.attachments
    files.take_source(entry.now)
    for file in request.FILES.getlist("files"):
        try:
            uploads.accept(file, merchant=request.merchant, form_key=entry.form_key, by=request.user, now=entry.now, room=files.room)
        except uploads.Rejected as reason:
            files.errors.append(str(reason))


def _change(request: MerchantRequest, entry: Entry) -> None:
    if "add_line" in request.POST:
        entry.add_row()
    if "remove_line" in request.POST:
        entry.remove_row(request.POST["remove_line"], request.POST)
    if "drop_file" in request.POST:
        entry.attachments.remove(request.POST["drop_file"])


def _save(request: MerchantRequest, entry: Entry, act: str) -> HttpResponse:
    try:
        saved = saving.save(request, entry)
    except lifecycle.MovedOn as reason:
        return show(request, entry, trouble=str(reason))
    except lifecycle.Refused as reason:
        now_there = saving.current(entry)
        if now_there is None or not now_there.is_editable:
            return show(request, entry, trouble=str(reason))
        return show(request, entry, reasons=[str(reason)])
    except (Invoice.DoesNotExist, Schedule.DoesNotExist):
        return show(request, entry, trouble=_("This draft was deleted while you were writing."))
    return saving.onward(request, saved, entry, act)


def show(request: MerchantRequest, entry: Entry, *, trouble: str = "", reasons: list[str] | None = None) -> HttpResponse:
    """The page. `trouble`: it can no longer be saved over what it came from; `reasons`: why it cannot be published."""
    context = payers.for_form(request, entry) | {
        "nav": "recurring" if entry.is_recurring else "invoices",
        "now": entry.now,
        "entry": entry,
        "form": entry.head,
        "once": entry.once,
        "rule": entry.rule,
        "sums": entry.sums(),
        "dates": entry.dates(),
        "invoice": entry.invoice,
        "schedule": entry.schedule,
        "runs": saving.runs(entry.saved),
        "saved_at": "" if saving.runs(entry.saved) else saving.saved_at(entry.saved, entry.now),
        "trouble": trouble,
        "wrong": entry.wrong(),
        "chosen": entry.chosen,
        "issue_past": entry.issue_has_passed,
        "reasons": reasons or [],
        "accept": sniffing.ACCEPT,
        "endpoints": list(request.merchant.endpoints.filter(is_enabled=True, removed_at=None).order_by("id")),  # type: ignore[attr-defined]
        "new_row": entry.new_row(),
    }
    return render(request, "invoicing/form.html", context)
