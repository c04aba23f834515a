"""Writing an invoice, new or not yet issued. Whatever is wrong with it comes back with everything that was typed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import authoring, lifecycle, sniffing, uploads
from invoicing.forms import Entry
from invoicing.models import Invoice, Payer, Status
from invoicing.views.scope import own
from merchants import clock
from merchants.access import MerchantRequest, needs
from merchants.models import Event

KNOWN_PAYERS = 100


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: MerchantRequest) -> HttpResponse:
    if request.method == "POST":
        return _posted(request, None)
    return _show(request, Entry(request.merchant, now=clock.now()))


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: MerchantRequest, pk: int) -> HttpResponse:
    try:
        invoice: Invoice | None = own(request, pk)
    except Http404:
        # Deleted while somebody was writing: what they typed is not to be lost with it.
        if request.method != "POST" or not Event.objects.filter(merchant=request.merchant, kind="invoice.deleted", subject_id=pk).exists():
            raise
        return _posted(request, None, trouble=_("This draft was deleted while you were writing."))
    if request.method == "POST":
        return _posted(request, invoice)
    if invoice is not None and not invoice.is_editable:
        messages.info(request, _("%(name)s has been issued; what it says can no longer be changed.") % {"name": invoice.name})
        return redirect("invoice", request.merchant.slug, pk)
    now = clock.now()
    reasons = lifecycle.blockers(invoice, now) if invoice and "publish" in request.GET else []
    return _show(request, Entry(request.merchant, now=now, invoice=invoice), reasons=reasons)


@needs("write")
@require_POST
def totals(request: MerchantRequest) -> HttpResponse:
    """What the values on the page come to, as the parts of the page that show it."""
    entry = Entry(request.merchant, now=clock.now(), data=request.POST, judged=False)
    return render(request, "invoicing/_totals.html", {"entry": entry, "sums": entry.sums(), "merchant": request.merchant})


def _posted(request: MerchantRequest, invoice: Invoice | None, *, trouble: str = "") -> HttpResponse:
    act = request.POST.get("act", "")
    changing = any(name in request.POST for name in ("add_line", "remove_line", "drop_file")) or act == "count"
    publishing = act == "publish" or (invoice is not None and invoice.status == Status.SCHEDULED)
    entry = Entry(request.merchant, now=clock.now(), invoice=invoice, data=request.POST, publishing=publishing, judged=not changing)
    _take_files(request, entry)
    if changing:
        _change(request, entry)
        return _show(request, entry)
    if not entry.is_valid():
        return _show(request, entry, trouble=trouble)
    if act == "copy":
        return _save_apart(request, entry)
    if trouble:
        return _show(request, entry, trouble=trouble)
    return _save(request, entry, act)


def _take_files(request: MerchantRequest, entry: Entry) -> None:
    """Store what came with the form, whatever else is wrong with it: a chosen file is not to be chosen twice."""
    for file in request.FILES.getlist("files"):
        try:
            uploads.accept(file, merchant=request.merchant, form_key=entry.form_key, by=request.user, now=entry.now, room=entry.room)
        except uploads.Rejected as reason:
            entry.file_errors.append(str(reason))


def _change(request: MerchantRequest, entry: Entry) -> None:
    if "add_line" in request.POST:
        entry.add_row()
    if "remove_line" in request.POST:
        entry.remove_row(request.POST["remove_line"], request.POST)
    if "drop_file" in request.POST:
        entry.remove_file(request.POST["drop_file"])


def _save(request: MerchantRequest, entry: Entry, act: str) -> HttpResponse:
    try:
        saved = authoring.save_draft(
            entry.invoice,
            merchant=request.merchant,
            by=request.user,
            version=entry.version,
            cleaned=entry.content(),
            form_key=entry.form_key,
            removed_files=entry.removed,
            now=entry.now,
        )
    except lifecycle.MovedOn as reason:
        return _show(request, entry, trouble=str(reason))
    except lifecycle.Refused as reason:
        current = Invoice.objects.filter(pk=entry.invoice.pk).first() if entry.invoice else None
        if current is None or not current.is_editable:
            return _show(request, entry, trouble=str(reason))
        return _show(request, entry, reasons=[str(reason)])
    except Invoice.DoesNotExist:
        return _show(request, entry, trouble=_("This draft was deleted while you were writing."))
    return _onward(request, saved, entry, act)


def _onward(request: MerchantRequest, saved: Invoice, entry: Entry, act: str) -> HttpResponse:
    slug = request.merchant.slug
    if saved.status == Status.SCHEDULED:
        messages.success(request, _("Saved. It goes out as scheduled."))
        return redirect("invoice", slug, saved.pk)
    if act != "publish":
        messages.success(request, _("Draft saved."))
        return redirect("invoice_edit", slug, saved.pk)
    if lifecycle.blockers(saved, entry.now):
        answer = redirect("invoice_edit", slug, saved.pk)
        answer["Location"] += "?publish"
        return answer
    return redirect("invoice_publish", slug, saved.pk)


def _save_apart(request: MerchantRequest, entry: Entry) -> HttpResponse:
    saved = authoring.save_apart(
        entry.invoice,
        merchant=request.merchant,
        by=request.user,
        cleaned=entry.content(),
        form_key=entry.form_key,
        removed_files=entry.removed,
        now=entry.now,
    )
    messages.success(request, _("Saved as a new draft."))
    return redirect("invoice_edit", request.merchant.slug, saved.pk)


def _show(request: MerchantRequest, entry: Entry, *, trouble: str = "", reasons: list[str] | None = None) -> HttpResponse:
    """The page. `trouble`: it can no longer be saved over the invoice it came from; `reasons`: why it cannot be published."""
    context: dict[str, Any] = {
        "nav": "invoices",
        "now": entry.now,
        "entry": entry,
        "form": entry.head,
        "sums": entry.sums(),
        "invoice": entry.invoice,
        "trouble": trouble,
        "wrong": entry.wrong(),
        "chosen": entry.chosen,
        "issue_past": entry.issue_has_passed,
        "reasons": reasons or [],
        "accept": sniffing.ACCEPT,
        "payers": Payer.objects.filter(merchant=request.merchant).order_by("-id")[:KNOWN_PAYERS],
        "endpoint": request.merchant.endpoints.filter(is_enabled=True).first(),  # type: ignore[attr-defined]
        "new_row": entry.new_row(),
    }
    return render(request, "invoicing/form.html", context)
