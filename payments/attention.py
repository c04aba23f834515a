"""What needs a hand about money without an invoice, and about money that goes back: added to the overview's list when the app
starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.attention import MOST, Matter, money_of, on_desk, page_of
from invoicing.models import Invoice, Status
from invoicing.money import grouped
from merchants import assets
from merchants.models import Merchant
from payments import approvals, shares
from payments import unassigned as loose
from payments.models import Refund, Transfer
from payments.settlement import OVER_E4, SCALE

State = Refund.State
UNSEEN = timedelta(hours=2)  # so long a transaction may take to show on its network at all
GOING = F("refunded_minor") + F("returning_minor")


def unassigned(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Money that matched no invoice. Dust stands in the list behind the link only."""
    for transfer in loose.worth_a_look(merchant)[:MOST]:
        title = _("%(money)s matched no invoice") % {"money": _amount(transfer)}
        text = _("Say whose payment it is. It counts for nothing yet.")
        yield Matter("scale", "amber", title, text, reverse("unassigned", args=[merchant.slug]), _("Look at it"))


def _amount(transfer: Transfer) -> str:
    """'12.5 USDC on Polygon'."""
    asset = assets.catalogue().assets.get(transfer.asset_id)
    return f"{grouped(transfer.amount_units, asset.decimals, trim=True, minimum=2)} {asset.label}" if asset else _("An unknown token")


# --- what could go back -------------------------------------------------------------------------------------------


def surplus(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Paid too much, and not on its way back. What a refund left behind counts where it would be called overpaid by itself."""
    over = Q(credited_minor__gt=F("total_minor") + F("total_minor") * OVER_E4 / SCALE + GOING)
    for invoice in on_desk(merchant, Q(is_overpaid=True) & over & ~Q(status=Status.VOID)):
        title = _("%(payer)s paid %(over)s too much") % {"payer": invoice.payer_name, "over": money_of(invoice.over_minor, invoice)}
        create = reverse("refund_create", args=[merchant.slug, invoice.pk]) + "?basis=surplus"
        yield Matter(
            "circle-plus", "amber", title, f"{invoice.name}.", create, _("Refund the surplus"), needs="money", page=page_of(invoice, merchant)
        )


def void_with_money(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Money on an invoice that bills nothing, and that is not on its way back."""
    for invoice in on_desk(merchant, Q(status=Status.VOID, credited_minor__gt=GOING - F("shortfall_minor"))):
        title = _("%(payer)s paid a void invoice") % {"payer": invoice.payer_name}
        text = _("%(money)s on %(name)s.") % {"money": money_of(invoice.left_minor, invoice), "name": invoice.name}
        create = reverse("refund_create", args=[merchant.slug, invoice.pk])
        yield Matter("ban", "amber", title, text, create, _("Refund it"), needs="money", page=page_of(invoice, merchant))


# --- what goes back -----------------------------------------------------------------------------------------------


def to_approve(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Refunds with an address, for those who may say yes to them."""
    limit = approvals.Limit(merchant, now=now)
    for refund in _at(merchant, State.CLAIMED):
        but = frozenset(approvals.involved(refund)) if limit.is_above(refund) else frozenset()
        yield _matter(refund, _("A refund to %(payer)s is to be approved"), _("%(money)s of %(name)s."), but=but, needs="money")


def to_pay(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    for refund in _at(merchant, State.APPROVED):
        yield _matter(refund, _("A refund to %(payer)s is to be paid"), _("%(money)s of %(name)s."), needs="money")


def troubled(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Sent by a transaction that does not pay it, or that the network does not show."""
    unseen = Q(place=None, sent_at__lte=now - UNSEEN)
    for refund in _of(merchant).filter(unseen | ~Q(trouble=""), status=State.SENT)[:MOST]:
        text = refund.trouble or _("The network does not show its transaction.")
        yield _matter(refund, _("The refund to %(payer)s has not arrived"), text.replace("%", "%%"), tone="red")


def short(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """To be approved or paid, and what it goes back on does not count any more."""
    waiting = (State.REQUESTED, State.CLAIMED, State.APPROVED)
    for refund in _of(merchant).filter(status__in=waiting, invoice__shortfall_minor__gt=0)[:MOST]:
        if shares.is_short(refund, refund.invoice):
            title = _("Do not pay the refund to %(payer)s")
            text = _("A payment of %(name)s that it goes back on does not count any more. Change it, or call it off.")
            yield _matter(refund, title, text, tone="red")


def shortfall(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Sent already, and what it went back on does not count any more: a row an invoice."""
    gone = Refund.objects.filter(merchant=merchant, status__in=[State.SENT, State.CONFIRMED]).order_by().values("invoice")
    short = Q(shortfall_minor__gt=0, pk__in=gone)
    for invoice in on_desk(merchant, short):
        title = _("%(payer)s got back what does not count any more") % {"payer": invoice.payer_name}
        told = {"money": money_of(invoice.shortfall_minor, invoice), "name": invoice.name}
        text = _("%(money)s more went back on %(name)s than its payments count for. Often a payment comes back in a later block.") % told
        yield Matter("triangle-alert", "red", title, text, page_of(invoice, merchant), _("Look at it"))


def _of(merchant: Merchant) -> QuerySet[Refund]:
    return Refund.objects.filter(merchant=merchant).select_related("invoice", "merchant").order_by("-id")


def _at(merchant: Merchant, state: State) -> list[Refund]:
    """The newest refunds at `state`, but not those of which `short` warns."""
    found = _of(merchant).filter(status=state)[:MOST]
    return [refund for refund in found if not (refund.invoice.shortfall_minor and shares.is_short(refund, refund.invoice))]


def _matter(refund: Refund, title: str, text: str, *, tone: str = "amber", needs: str = "", but: frozenset[int] = frozenset()) -> Matter:
    """A row about `refund`; its page shows to everybody what they may do."""
    invoice: Invoice = refund.invoice
    names = {"payer": invoice.payer_name, "money": money_of(refund.amount_minor, invoice), "name": invoice.name}
    page = reverse("refund", args=[refund.merchant.slug, refund.pk])
    icon = "triangle-alert" if tone == "red" else "undo-2"
    return Matter(icon, tone, title % names, text % names, page, _("Look at it"), needs=needs, but=but)


SOURCES = (unassigned, to_approve, to_pay, short, troubled, shortfall, surplus, void_with_money)
