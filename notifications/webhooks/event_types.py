"""The types of event that go to endpoints, in words: for the check boxes, the test page and the list of types."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import Format
from notifications.webhooks import formats


@dataclass(frozen=True)
class Type:
    kind: str
    words: str | Promise  # when it happens
    data: str | Promise  # the names in its `data`, see docs/webhooks.md


@dataclass(frozen=True)
class Group:
    key: str  # what its kinds begin with
    name: str | Promise
    types: list[Type]


GROUPS: dict[str, str | Promise] = {"invoice": _("Invoices"), "payment": _("Payments"), "refund": _("Refunds"), "schedule": _("Recurring")}

WORDS: dict[str, str | Promise] = {
    "invoice.issued": _("it goes to its payer"),
    "invoice.viewed": _("the payer opens it for the first time"),
    "invoice.paid": _("it is paid in full, and final"),
    "invoice.reopened": _("a payment of it was taken back"),
    "invoice.voided": _("a member cancelled it"),
    "invoice.missed": _("its due time passed before it could be sent"),
    "invoice.reminded": _("its payer is reminded"),
    "payment.detected": _("money is seen, not final yet"),
    "payment.confirmed": _("money is final and counts"),
    "payment.part_received": _("less than the whole has come"),
    "payment.overpaid": _("more than the whole has come"),
    "payment.late": _("it came after its rate had ended"),
    "payment.decided": _("a member decided what a late one counts for"),
    "payment.dropped": _("its network took it back"),
    "payment.unassigned": _("money came that belongs to no invoice"),
    "payment.assigned": _("a member assigned it to an invoice"),
    "payment.handled": _("a member dealt with it elsewhere"),
    "payment.recorded": _("a member recorded one made elsewhere"),
    "payment.reversed": _("a recorded one was taken back"),
    "refund.requested": _("a member asked for it"),
    "refund.changed": _("its amount, token or words changed"),
    "refund.renewed": _("the payer got a new link"),
    "refund.expired": _("the payer gave no address in time"),
    "refund.address_given": _("the payer gave an address, not confirmed yet"),
    "refund.claimed": _("its address is fixed"),
    "refund.restarted": _("another address is wanted"),
    "refund.approved": _("it may be paid"),
    "refund.rejected": _("a member rejected it"),
    "refund.cancelled": _("a member cancelled it"),
    "refund.sent": _("its transaction is known"),
    "refund.unsent": _("that transaction was not it"),
    "refund.confirmed": _("it has arrived, and is final"),
    "refund.reopened": _("its network took it back"),
    "refund.failed": _("it could not be paid"),
    "schedule.published": _("it starts"),
    "schedule.paused": _("a member paused it"),
    "schedule.resumed": _("it goes on"),
    "schedule.missed": _("dates of it passed unsent"),
    "schedule.held": _("a date needs a hand"),
    "schedule.stopped": _("a member stopped it"),
    "schedule.completed": _("its last invoice was sent"),
}

# Where it differs from what its group says.
DATA: dict[str, str | Promise] = {
    "invoice.issued": _("invoice; origin when a schedule made it: schedule, title, k"),
    "invoice.reminded": "invoice, reminder",
    "payment.recorded": "invoice, payment",
    "payment.reversed": "invoice, payment",
    "payment.part_received": "invoice",
    "payment.overpaid": "invoice",
    "payment.unassigned": "transfer",
    "payment.handled": _("transfer; invoice when it belongs to one"),
    "payment.dropped": _("transfer; invoice when it belongs to one"),
    "schedule.missed": "schedule, occurrences",
    "schedule.held": "schedule, occurrences",
}
OF_ALL = {"invoice": "invoice", "payment": "invoice, transfer", "refund": "invoice, refund", "schedule": "schedule"}


def type_of(kind: str) -> Type:
    return Type(kind, WORDS.get(kind, ""), DATA.get(kind) or OF_ALL.get(kind.partition(".")[0], ""))


def groups(format: str = Format.STANDARD) -> list[Group]:
    """The types that an endpoint of this format can get, by what they are about, in the order of the plans."""
    kinds = formats.WIRES[format].kinds()
    of = {key: [type_of(kind) for kind in kinds if kind.partition(".")[0] == key] for key in dict.fromkeys(kind.partition(".")[0] for kind in kinds)}
    return [Group(key, GROUPS.get(key, key), types) for key, types in of.items()]
