"""What is done to many invoices at once: chosen on the list, shown with what will happen, then done."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from invoicing import bulk, bundles, exports
from invoicing.filters import Filter
from invoicing.forms.fields import Lines
from invoicing.models import Invoice, Shelf
from merchants import clock
from merchants.access import MerchantRequest, needs

NAMED = 12  # by name on the page that asks, and in what is said afterwards; the others are counted
ACTS = (*bulk.ACTS, "zip", "export")


class ReasonForm(forms.Form):
    reason = Lines(
        label=_l("Why"),
        max_length=300,
        help_text=_l("Each payer reads this in the mail that cancels their invoice."),
        error_messages={
            "required": _l("Say why, in a sentence."),
            "max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d."),
        },
    )


@needs("write")
@require_POST
def invoices(request: MerchantRequest) -> HttpResponse:
    now = clock.now()
    asked, _notices = Filter.read(QueryDict(request.POST.get("query", "")[:2000]), merchant=request.merchant)
    back = HttpResponseRedirect(f"{reverse('invoices', args=[request.merchant.slug])}?{asked.to_query()}")
    act = request.POST.get("act", "")
    if act not in ACTS:
        return back
    if request.POST.get("all") == "1":
        chosen = asked.apply(request.merchant, now)
    else:
        mine = Invoice.objects.filter(merchant=request.merchant).exclude(shelf=Shelf.REMOVED)
        chosen = mine.filter(pk__in=_pks(request)).order_by(*asked.order.expressions())
    if act == "export":
        rows = exports.invoice_rows(chosen, merchant=request.merchant, now=now)
        return cast(HttpResponse, exports.stream(exports.file_name("invoices", request.merchant, now), exports.invoice_header(), rows))
    found = list(chosen[: bulk.MOST + 1])
    if not found:
        messages.info(request, _("Choose the invoices first: there is a box beside each."))
        return back
    if len(found) > bulk.MOST:
        messages.warning(request, _("At most %(most)d at a time. Narrow the list, by dates for instance.") % {"most": bulk.MOST})
        return back
    for invoice in found:
        invoice.merchant = request.merchant
    return _bundle(request, found, back) if act == "zip" else _ask_or_do(request, act, found, asked, back)


def _pks(request: MerchantRequest) -> set[int]:
    given = request.POST.getlist("pk")[: 2 * bulk.MOST]
    return {int(pk) for pk in given if pk.isascii() and pk.isdigit() and len(pk) < 19}


def _ask_or_do(request: MerchantRequest, name: str, found: list[Invoice], asked: Filter, back: HttpResponse) -> HttpResponse:
    """The page that says what will happen; or, once that was confirmed, what happened."""
    act, is_confirmed = bulk.ACTS[name], request.POST.get("confirm") == "1"
    form = ReasonForm(request.POST if is_confirmed else None, use_required_attribute=False)
    will, will_not = bulk.split(act, found)
    if is_confirmed and will and (not act.needs_reason or form.is_valid()):
        reason = form.cleaned_data["reason"] if act.needs_reason else ""
        _tell(request, name, bulk.run(act, will, by=request.user, reason=reason, now=clock.now()))
        return back
    context = {
        "nav": "invoices",
        "now": clock.now(),
        "name": name,
        "act": act,
        "form": form,
        "asked": asked,
        "query": asked.to_query(),
        "will": will,
        "named": will[:NAMED],
        "others": max(len(will) - NAMED, 0),
        "will_not": will_not[:NAMED],
        "will_not_others": max(len(will_not) - NAMED, 0),
        "addresses": len({invoice.mail_address for invoice in will}),
        "with_money": sum(1 for invoice in will if invoice.credited_minor or invoice.pending_minor),
    }
    return render(request, "invoicing/bulk.html", context)


def _tell(request: MerchantRequest, name: str, outcome: bulk.Outcome) -> None:
    count = len(outcome.done)
    if count:
        said = {
            "void": ngettext("%(n)d invoice is void; its payer is told.", "%(n)d invoices are void; their payers are told.", count),
            "archive": ngettext("%(n)d invoice is archived.", "%(n)d invoices are archived.", count),
            "unarchive": ngettext("%(n)d invoice is back on the list.", "%(n)d invoices are back on the list.", count),
        }[name]
        messages.success(request, said % {"n": count})
    for _name, reason in outcome.refused[:NAMED]:
        messages.warning(request, reason)
    if len(outcome.refused) > NAMED:
        messages.warning(request, _("%(n)d more were refused.") % {"n": len(outcome.refused) - NAMED})


def _bundle(request: MerchantRequest, found: list[Invoice], back: HttpResponse) -> HttpResponse:
    printed = [invoice for invoice in found if invoice.is_issued]
    left = len(found) - len(printed)
    if not printed:
        messages.info(request, _("None of these has been issued; there is no PDF yet."))
        return back
    bundle = bundles.ask(request.merchant, printed, by=request.user, now=clock.now())
    if left:
        words = ngettext("%(n)d was left out: it has not been issued.", "%(n)d were left out: they have not been issued.", left)
        messages.info(request, words % {"n": left})
    return redirect("bundle", request.merchant.slug, bundle.pk)
