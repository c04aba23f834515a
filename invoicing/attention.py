"""What needs a hand, in one list: each source looks at one kind of trouble; the floors above add theirs at start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Max, Min, Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing import occurrences, pdf
from invoicing.models import Invoice, Occurrence, Schedule, ScheduleStatus, Shelf, Status
from invoicing.models.invoice import NEWEST
from invoicing.money import format_minor
from merchants import moments
from merchants.access import may
from merchants.models import Membership, Merchant

MOST = 5  # of one kind; the list behind the link shows the rest


@dataclass(frozen=True)
class Matter:
    icon: str
    tone: str  # red: wrong; amber: to decide
    title: str
    text: str
    link: str
    action: str | Promise  # the link's word
    needs: str = ""  # the right that the link asks for
    page: str = ""  # where who lacks that right may look; without one it is not theirs
    but: frozenset[int] = frozenset()  # users who may not deal with it all the same

    def seen_by(self, member: Membership) -> Matter | None:
        """As it concerns `member`; None where there is nothing they could do or look at."""
        if member.user_id in self.but:
            return None
        if not self.needs or may(member, self.needs):
            return self
        return replace(self, link=self.page, action=_("Look at it")) if self.page else None


Source = Callable[[Merchant, datetime], Iterable[Matter]]
sources: list[Source] = []


def register(source: Source) -> Source:
    if source not in sources:
        sources.append(source)
    return source


def matters(merchant: Merchant, now: datetime, *, member: Membership | None = None) -> list[Matter]:
    """Everything that needs a hand, in the order of the sources; for `member` what concerns them."""
    found = [matter for source in sources for matter in source(merchant, now)]
    return found if member is None else [seen for matter in found if (seen := matter.seen_by(member))]


def on_desk(merchant: Merchant, condition: Q) -> list[Invoice]:
    return list(Invoice.objects.filter(condition, merchant=merchant, shelf=Shelf.DESK).order_by(NEWEST)[:MOST])


def _beside(merchant: Merchant, condition: Q, *, most: int = MOST) -> list[Invoice]:
    """The newest invoices of which `condition` holds, which looks at rows beside them; each once."""
    found = Invoice.objects.filter(condition, merchant=merchant).order_by().values("pk")
    return list(Invoice.objects.filter(pk__in=found).order_by(NEWEST)[:most])


def page_of(invoice: Invoice, merchant: Merchant) -> str:
    return reverse("invoice", args=[merchant.slug, invoice.pk])


def money_of(minor: int, invoice: Invoice) -> str:
    return f"{format_minor(minor, invoice.currency)} {invoice.currency}"


@register
def missed(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Scheduled, and never sent."""
    for invoice in on_desk(merchant, Q(status=Status.MISSED)):
        planned = moments.short(invoice.issue_at, merchant.time_zone) if invoice.issue_at else "–"
        yield Matter(
            "calendar-x",
            "red",
            _("%(title)s could not be sent") % {"title": invoice.title or _("An invoice")},
            _("%(payer)s, planned %(moment)s.") % {"payer": invoice.payer_name, "moment": planned},
            page_of(invoice, merchant),  # where who may write finds the button, and a viewer no closed door
            _("Look at it"),
        )


@register
def unsent(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Dates of schedules that were missed, or are held; a row a schedule. Who stops one by hand has decided on them."""
    past_due, waiting = Q(state=Occurrence.State.MISSED), Q(state=Occurrence.State.HELD)
    stuck = Occurrence.objects.filter(past_due | waiting, schedule__merchant=merchant).exclude(schedule__status=ScheduleStatus.STOPPED)
    found = stuck.values("schedule_id").annotate(
        count=Count("id"), k=Min("k"), first=Min("planned_at"), why=Max("reason", filter=waiting), held=Count("id", filter=waiting)
    )
    rows = list(found.order_by("-schedule_id")[:MOST])
    schedules = Schedule.objects.prefetch_related("segments").in_bulk([row["schedule_id"] for row in rows])
    for row in rows:
        names = {"name": _title(schedules[row["schedule_id"]], row["k"]), "more": row["count"] - 1}
        planned = {"moment": moments.short(row["first"], merchant.time_zone)}
        past = ngettext("Planned %(moment)s. Nothing is sent late.", "The first one was planned %(moment)s. Nothing is sent late.", row["count"])
        yield Matter(
            "calendar-x",
            "red",
            (_("%(name)s and %(more)d more could not be sent") if names["more"] else _("%(name)s could not be sent")) % names,
            row["why"] if row["held"] else past % planned,
            reverse("schedule", args=[merchant.slug, row["schedule_id"]]),
            _("Look at it"),
        )


def _title(schedule: Schedule, k: int) -> str:
    """What the invoice of date `k` is called; asks nothing of the database when the segments are there."""
    segment = [segment for segment in schedule.segments.all() if segment.first_k <= k][-1]
    return occurrences.title_of(schedule, segment, k) or _("An invoice")


@register
def held(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Money that came and counts for nothing until somebody decides."""
    waiting = Q(transfers__is_held=True, transfers__handled_at=None) & ~Q(transfers__status="dropped")
    for invoice in _beside(merchant, waiting):
        yield Matter(
            "scale",
            "amber",
            _("A payment is held"),
            _("It came for %(name)s and does not count yet.") % {"name": invoice.name},
            page_of(invoice, merchant),
            _("Look at it"),
        )


@register
def underpaid(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """A part came, and nothing more is on its way."""
    for invoice in on_desk(merchant, Q(status=Status.OPEN, is_underpaid=True, credited_minor__gt=0, pending_minor=0)):
        title = _("%(payer)s paid a part") % {"payer": invoice.payer_name}
        text = _("%(due)s of %(name)s still due.") % {"due": money_of(invoice.due_minor, invoice), "name": invoice.name}
        yield Matter("contrast", "amber", title, text, page_of(invoice, merchant), _("Look at it"))


@register
def taken_back(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """The network dropped a payment, and the invoice is open without it."""
    without = Q(status=Status.OPEN, transfers__status="dropped", pending_minor=0)
    for invoice in _beside(merchant, without):
        text = _("%(name)s is open again. Often the payment comes back in a later block.") % {"name": invoice.name}
        yield Matter("undo-2", "amber", _("The network took a payment back"), text, page_of(invoice, merchant), _("Look at it"))


@register
def undelivered(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Webhooks that were given up on and not sent again since; one row an invoice, however many."""
    webhooks = Q(deliveries__merchant=merchant, deliveries__status="failed", deliveries__channel="webhook")
    failed = _beside(merchant, webhooks, most=MOST * 5)
    invoices = {invoice.pk: invoice for invoice in failed}
    if not invoices:
        return
    latest: dict[tuple[object, ...], str] = {}
    keys = ("deliveries__template", "deliveries__recipient", "deliveries__status")
    rows = Invoice.objects.filter(pk__in=invoices, deliveries__channel="webhook").order_by("deliveries__id").values_list("pk", *keys)
    for pk, template, recipient, status in rows:
        latest[(pk, template, recipient)] = status
    open_ones = Counter(key[0] for key, status in latest.items() if status == "failed")
    for pk, count in list(open_ones.items())[:MOST]:
        invoice = invoices[pk]  # type: ignore[index]
        title = ngettext("A webhook could not be delivered", "%(count)s webhooks could not be delivered", count) % {"count": count}
        text = _("About %(name)s, for %(payer)s.") % {"name": invoice.name, "payer": invoice.payer_name}
        yield Matter("webhook", "red", title, text, f"{page_of(invoice, merchant)}#messages", _("See why"))


@register
def unprinted(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """PDFs that could not be made after three tries. Opening one tries again."""
    for rendering in pdf.failed(merchant)[:MOST]:
        invoice = rendering.invoice
        title = _("The PDF of %(name)s could not be made") % {"name": rendering.name}
        yield Matter("file-x", "red", title, _("The mail went out without it. Opening it tries again."), page_of(invoice, merchant), _("Look at it"))
