"""Event kind → who hears of it, and how: a line per kind. A kind that is not here is heard by nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from merchants.models import Event
from merchants.profile import NOTICES


@dataclass(frozen=True)
class Mail:
    """An email. `template` names its folder under templates/emails/ and its function in `emails`; `to`, see `audience`."""

    template: str
    to: str  # 'payer', 'merchant', 'owners' or 'invitee'
    is_notice: bool = False  # a payment notice: only where the invoice asks for it
    only: Callable[[Event], bool] | None = None  # of which events of its kind; None: of each

    @property
    def is_optional(self) -> bool:
        """The merchant may switch it off for all its invoices. Everything else needs a hand, and is always told."""
        return self.template in NOTICES


@dataclass(frozen=True)
class Plan:
    mails: tuple[Mail, ...] = ()
    webhook: bool = True
    webhook_is_notice: bool = False


def of_a_payers_mail(event: Event) -> bool:
    """Whether what could not be delivered was to tell a payer of an invoice. A mail to the business is none; nor is one to an
    address of the business that gets copies."""
    told, merchant = event.facts, event.merchant
    ours = {merchant.email.lower(), merchant.copies_to.lower()}
    return event.subject_kind == "invoice" and told["template"] in TO_PAYERS and told.get("recipient", "").lower() not in ours


def by_a_member(event: Event) -> bool:
    return bool(event.actor_name)


def by_itself(event: Event) -> bool:
    return not by_a_member(event)


def tells_of(template: str, event: Event) -> bool:
    """Whether new recipients of an invoice are to have this mail."""
    return event.facts.get("mail") == template


OWNERS_TOLD = Mail("owners_told", "owners")
OWNERS = Plan((OWNERS_TOLD,), webhook=False)
# Of a refund everybody is always told: it needs a hand, and it is no payment notice.
ASKED, TOLD, NEWS = Mail("refund_wanted", "payer"), Mail("refund_told", "payer"), Mail("refund_news", "merchant")

PLANS: dict[str, Plan] = {
    "invoice.issued": Plan((Mail("issued", "payer"),)),
    "invoice.reminded": Plan((Mail("reminder", "payer"),)),
    "invoice.viewed": Plan(),
    "payment.detected": Plan((Mail("seen", "merchant", is_notice=True),), webhook_is_notice=True),
    "payment.confirmed": Plan(webhook_is_notice=True),
    "payment.part_received": Plan((Mail("part_received", "payer"), Mail("part_paid", "merchant")), webhook_is_notice=True),
    "payment.overpaid": Plan((Mail("overpaid", "merchant"),), webhook_is_notice=True),
    "payment.late": Plan((Mail("late", "merchant"),), webhook_is_notice=True),
    "payment.dropped": Plan(webhook_is_notice=True),
    "payment.unassigned": Plan((Mail("unassigned", "merchant"),)),
    "payment.assigned": Plan(webhook_is_notice=True),
    "payment.decided": Plan(webhook_is_notice=True),
    "payment.handled": Plan(webhook_is_notice=True),
    "payment.recorded": Plan(webhook_is_notice=True),
    "payment.reversed": Plan(webhook_is_notice=True),
    "invoice.paid": Plan((Mail("receipt", "payer"), Mail("paid", "merchant", is_notice=True)), webhook_is_notice=True),
    "invoice.reopened": Plan((Mail("reopened", "merchant"),)),
    "invoice.voided": Plan((Mail("cancelled", "payer"),)),
    "invoice.recipients_changed": Plan(
        (
            *(Mail(template, "payer", only=partial(tells_of, template)) for template in ("issued", "receipt", "cancelled")),
            OWNERS_TOLD,
        ),
        webhook=False,
    ),
    "invoice.missed": Plan((Mail("missed", "merchant"),)),
    "refund.requested": Plan((ASKED, NEWS)),
    "refund.changed": Plan((TOLD, NEWS)),
    "refund.renewed": Plan((ASKED,)),
    "refund.expired": Plan((TOLD, NEWS)),
    "refund.address_given": Plan((Mail("refund_confirm", "payer"),)),
    "refund.claimed": Plan((TOLD, NEWS)),
    "refund.restarted": Plan((ASKED, NEWS)),
    "refund.approved": Plan((TOLD, NEWS)),
    "refund.rejected": Plan((TOLD, NEWS)),
    "refund.cancelled": Plan((TOLD, NEWS)),
    "refund.sent": Plan((TOLD, NEWS)),
    "refund.unsent": Plan((TOLD, NEWS)),
    "refund.confirmed": Plan((TOLD, NEWS)),
    "refund.reopened": Plan((TOLD, NEWS)),
    "refund.failed": Plan((TOLD, NEWS)),
    "schedule.published": Plan(),
    "schedule.paused": Plan(),
    "schedule.resumed": Plan(),
    "schedule.missed": Plan((Mail("schedule_missed", "merchant"),)),
    "schedule.held": Plan((Mail("schedule_held", "merchant"),)),
    "schedule.stopped": Plan((Mail("schedule_ended", "merchant"),)),
    "schedule.completed": Plan((Mail("schedule_ended", "merchant"),)),
    "links.asked": Plan((Mail("links", "payer"),), webhook=False),
    "delivery.failed": Plan((Mail("undelivered", "merchant", only=of_a_payers_mail),), webhook=False),
    "member.invited": Plan((Mail("invitation", "invitee"),), webhook=False),
    "member.joined": OWNERS,
    "member.role_changed": OWNERS,
    "member.removed": OWNERS,
    "member.left": OWNERS,
    "merchant.handed_over": OWNERS,
    "merchant.changed": OWNERS,  # those are told whom the event names, as that of the late policy does
    "mail_server.saved": OWNERS,
    "mail_server.on": OWNERS,
    "mail_server.off": OWNERS,
    "mail_server.removed": OWNERS,
    "mail_server.failing": OWNERS,
    "endpoint.added": OWNERS,
    "endpoint.changed": OWNERS,
    "endpoint.secret_rotated": OWNERS,
    "endpoint.paused": OWNERS,
    "endpoint.resumed": OWNERS,
    "endpoint.enabled": OWNERS,
    "endpoint.removed": OWNERS,
    "application.secret_made": OWNERS,
    "endpoint.disabled": Plan(
        (Mail("owners_told", "owners", only=by_a_member), Mail("endpoint_off", "owners", only=by_itself)),
        webhook=False,
    ),
    "wallet.connected": OWNERS,
    "wallet.replaced": OWNERS,
    "wallet.retired": OWNERS,
}

TEMPLATES: dict[str, str] = {mail.template: mail.to for plan in PLANS.values() for mail in plan.mails}  # template → audience
TO_PAYERS = frozenset(template for template, to in TEMPLATES.items() if to == "payer")
