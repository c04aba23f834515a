"""The directory of payers, one payer's page, and what the invoice form offers of them."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from invoicing import items, payers, queries
from invoicing.filters import ORDERS
from invoicing.forms import Entry
from invoicing.forms.payer import PayerForm
from invoicing.models import Invoice, Payer
from invoicing.money import format_minor
from invoicing.views.statement import form_of
from merchants import clock
from merchants.access import MerchantRequest, may, needs

READ_OR_POST = ["GET", "HEAD", "POST"]
MOST_SEARCH = 100
LISTED = 100  # in the form, for browsers without JavaScript


def own_payer(request: MerchantRequest, pk: int) -> Payer:
    """The payer `pk` of the merchant in the path; anybody else's is a 404."""
    payer = get_object_or_404(Payer, merchant=request.merchant, pk=pk)
    payer.merchant = request.merchant
    return payer


def words(request: MerchantRequest, name: str = "q") -> str:
    """What was searched for, without what no row can hold."""
    return request.GET.get(name, "").replace("\0", "").strip()[:MOST_SEARCH]


def key(request: MerchantRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def query(**values: str | int | None) -> str:
    """'?q=ana&after=7', without what is empty; '' when there is nothing to ask for."""
    given = {name: value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


@needs("see")
@require_safe
def directory(request: MerchantRequest) -> HttpResponse:
    search = words(request)
    found = payers.directory(request.merchant, search=search, before=key(request, "before"), after=key(request, "after"))
    context = {
        "nav": "payers",
        "rows": found.rows,
        "search": search,
        "back": query(q=search, before=found.back) if found.back else "",
        "on": query(q=search, after=found.on) if found.on else "",
        "may_write": may(request.membership, "write"),
    }
    return render(request, "invoicing/payers.html", context)


@needs("see")
@require_safe
def payer(request: MerchantRequest, pk: int) -> HttpResponse:
    entry, now = own_payer(request, pk), clock.now()
    page = queries.page(payers.invoices(entry), ORDERS[""], at=request.GET.get("at", ""))
    context = {
        "nav": "payers",
        "now": now,
        "payer": entry,
        "sharing": payers.sharing(entry),
        "totals": payers.totals(entry, now=now),
        "page": page,
        "newer": query(at=page.newer),
        "older": query(at=page.older),
        "schedules": entry.schedules.order_by("-id"),  # type: ignore[attr-defined]
        "last": payers.last_invoice(entry),
        "form_key": secrets.token_urlsafe(32),
        "statement": form_of(entry, {}, now=now),
        "may_write": may(request.membership, "write"),
    }
    return render(request, "invoicing/payer.html", context)


@needs("write")
@require_http_methods(READ_OR_POST)
def new(request: MerchantRequest) -> HttpResponse:
    form = PayerForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            added = payers.add(request.merchant, values=form.cleaned_data, by=request.user, now=clock.now())
        except payers.AlreadyThere as reason:
            form.add_error("name", str(reason))
        else:
            messages.success(request, _("%(name)s is among your payers.") % {"name": added.name})
            return redirect("payer", request.merchant.slug, added.pk)
    return _form(request, form, None)


@needs("write")
@require_http_methods(READ_OR_POST)
def edit(request: MerchantRequest, pk: int) -> HttpResponse:
    entry = own_payer(request, pk)
    form = PayerForm(request.POST if request.method == "POST" else None, payer=entry)
    if form.is_bound and form.is_valid():
        try:
            changed = payers.change(entry, values=form.cleaned_data, by=request.user, now=clock.now())
        except payers.AlreadyThere as reason:
            form.add_error("name", str(reason))
        else:
            messages.success(request, _("Saved. What was written before stays as it is.") if changed else _("Nothing was changed."))
            return redirect("payer", request.merchant.slug, pk)
    return _form(request, form, entry)


def _form(request: MerchantRequest, form: PayerForm, entry: Payer | None) -> HttpResponse:
    context = {"nav": "payers", "form": form, "payer": entry}
    return render(request, "invoicing/payer_form.html", context, status=422 if form.is_bound else 200)


@needs("write")
@require_http_methods(READ_OR_POST)
def delete(request: MerchantRequest, pk: int) -> HttpResponse:
    entry = own_payer(request, pk)
    if request.method != "POST":
        context = {"nav": "payers", "payer": entry, "invoices": payers.invoices(entry).count()}
        return render(request, "invoicing/payer_delete.html", context)
    payers.delete(entry, by=request.user, now=clock.now())
    messages.success(request, _("%(name)s is no longer among your payers.") % {"name": entry.name})
    return redirect("payers", request.merchant.slug)


# --- what the form offers ---------------------------------------------------------------------------------------
def for_form(request: MerchantRequest, entry: Entry) -> dict[str, Any]:
    """Lets the form of `entry` offer payers and saved items, and starts it with the payer of `?payer=`.

    Returned is what its template shows of them, also where there is no JavaScript.
    """
    mine = Payer.objects.filter(merchant=request.merchant)
    asked = key(request, "payer") if request.method == "GET" and entry.invoice is None and entry.schedule is None else None
    known = mine.filter(pk=asked).first() if asked else None
    if known:
        entry.head.initial |= payers.fields_of(known, language=request.merchant.language)
    for name in ("payer_name", "payer_email"):
        offers = {"data-offers": reverse("payers_suggest", args=[request.merchant.slug]), "data-offers-label": _("Payers you know")}
        entry.head.fields[name].widget.attrs |= {"autocomplete": "off", **offers}
    return {
        "payers": mine.order_by("-id")[:LISTED],
        "known": offered(request, known, payers.last_invoice(known)) if known else None,
        "copy_key": secrets.token_urlsafe(32),  # the copy is another draft than the one that is being written
        "saved_items": items.listed(request.merchant, entry.currency),
    }


@needs("write")
@require_safe
def suggest(request: MerchantRequest) -> HttpResponse:
    """`?q=ana` → the payers that are offered while a name or an email is typed."""
    search = words(request)
    found = payers.offers(request.merchant, search) if search else []
    said = ngettext("%(n)d payer you know", "%(n)d payers you know", len(found)) % {"n": len(found)} if found else ""
    answer = {"said": said, "offers": [offered(request, offer.payer, offer.last) for offer in found]}
    return JsonResponse(answer, headers={"Cache-Control": "private, no-store"})


def offered(request: MerchantRequest, entry: Payer, last: Invoice | None) -> dict[str, Any]:
    """One payer as the form takes it: what to show, what to fill in, and the last invoice."""
    fill = payers.fields_of(entry, language=request.merchant.language)
    return {"label": entry.name, "note": entry.email, "fill": fill, "last": _last(request, last)}


def _last(request: MerchantRequest, last: Invoice | None) -> dict[str, str] | None:
    if last is None:
        return None
    total = f"{format_minor(last.total_minor, last.currency)} {last.currency}"
    text = _("Last invoice: %(invoice)s.") % {"invoice": ", ".join(filter(None, (last.number, last.title, total)))}
    return {"text": text, "copy": reverse("invoice_duplicate", args=[request.merchant.slug, last.pk])}
