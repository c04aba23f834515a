"""Money that matched no invoice: the list of it, and the page on which a member says whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from invoicing.models import Invoice
from merchants import assets, clock
from merchants.access import MerchantRequest, may, needs
from payments import held, unassigned
from payments.models import Transfer
from payments.rails import Rail, rail_for

A_PAGE = 50


@dataclass(frozen=True)
class Loose:
    """Unassigned money as a member reads it. `asset` is None for a token that has left the catalogue."""

    transfer: Transfer
    asset: dict[str, Any] | None
    explorer: str
    explorer_address: str

    @classmethod
    def of(cls, transfer: Transfer) -> Loose:
        rail = _rail(transfer.network)
        address = transfer.receive_address.address if transfer.receive_address else ""
        asset = assets.catalogue().assets.get(transfer.asset_id)
        return cls(
            transfer,
            asset.frozen() if asset else None,
            rail.explorer_tx(transfer.txid) if rail else "",
            rail.explorer_address(address) if rail else "",
        )

    @property
    def is_dropped(self) -> bool:
        return self.transfer.status == Transfer.State.DROPPED

    @property
    def is_waiting(self) -> bool:
        return not self.is_dropped and self.transfer.handled_at is None


def _rail(network_id: str) -> Rail | None:
    return rail_for(network_id) if network_id in assets.catalogue().networks else None


@needs("see")
@require_safe
def index(request: MerchantRequest) -> HttpResponse:
    found = unassigned.of(request.merchant).select_related("receive_address", "handled_by")
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found[: A_PAGE + 1])
    context = {
        "nav": "invoices",
        "rows": [Loose.of(row) for row in rows[:A_PAGE]],
        "older": rows[A_PAGE - 1].pk if len(rows) > A_PAGE else None,
        "is_first": not before,
        "may_money": may(request.membership, "money"),
    }
    return render(request, "payments/unassigned.html", context)


@needs("money")
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: MerchantRequest, pk: int) -> HttpResponse:
    own = Transfer.objects.select_related("receive_address__wallet", "handled_by", "invoice")
    transfer = get_object_or_404(own, pk=pk, receive_address__wallet__merchant=request.merchant)
    if transfer.invoice is not None:
        messages.info(request, _("This payment belongs to %(name)s.") % {"name": transfer.invoice.name})
        return redirect("invoice", request.merchant.slug, transfer.invoice_id)
    if transfer.status == Transfer.State.DROPPED:
        messages.info(request, _("The network took this payment back; nothing is left to decide."))
        return redirect("unassigned", request.merchant.slug)
    if request.method == "POST" and (answer := _decided(request, transfer)):
        return answer
    return render(request, "payments/unassigned_decide.html", _context(request, transfer))


def _decided(request: MerchantRequest, transfer: Transfer) -> HttpResponse | None:
    """Where to go when it is decided; None when it could not be."""
    now = clock.now()
    try:
        if request.POST.get("act") == "handle":
            held.handle(transfer, request.POST.get("note", ""), by=request.user, now=now)
            messages.success(request, _("Noted. It needs no hand any more."))
            return redirect("unassigned", request.merchant.slug)
        invoice = get_object_or_404(Invoice, pk=_number(request.POST.get("invoice", "")), merchant=request.merchant)
        unassigned.assign(transfer, invoice, request.POST.get("choice", ""), by=request.user, now=now)
    except held.CannotDecide as refusal:
        messages.warning(request, str(refusal))
        return None
    messages.success(request, _("Assigned. It counts on %(name)s now.") % {"name": invoice.name})
    return redirect("invoice", request.merchant.slug, invoice.pk)


def _context(request: MerchantRequest, transfer: Transfer) -> dict[str, Any]:
    suggested = unassigned.suggestions(transfer, request.merchant)
    number = request.GET.get("number", "")[:60].strip()
    chosen = _chosen(request, suggested, number)
    return {
        "nav": "invoices",
        "loose": Loose.of(transfer),
        "transfer": transfer,
        "suggested": suggested,
        "chosen": chosen,
        "why": next((one.why for one in suggested if chosen and one.invoice.pk == chosen.pk), ""),
        "choices": unassigned.choices(transfer, chosen, now=clock.now()) if chosen else [],
        "number": number,
        "is_unknown": bool(number) and chosen is None,
        "note": request.POST.get("note", ""),
    }


def _chosen(request: MerchantRequest, suggested: list[unassigned.Suggestion], number: str) -> Invoice | None:
    """The invoice that was asked about; without a question, the one suggestion that needs no second thought."""
    if number:
        return unassigned.invoice_numbered(request.merchant, number)
    asked = _number(request.POST.get("invoice") or request.GET.get("invoice", ""))
    if asked:
        return Invoice.objects.filter(pk=asked, merchant=request.merchant, status__in=unassigned.ISSUED).first()
    best = [one.invoice for one in suggested if one.likeness == unassigned.Likeness.EXACT]
    return best[0] if len(best) == 1 else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
