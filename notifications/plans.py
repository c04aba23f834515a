"""Event kind → who hears of it, and how: a line per kind. A kind that is not here is heard by nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    """An email. `template` names its folder under templates/emails/ and its function in `emails`; `to`, see `audience`."""

    template: str
    to: str  # 'payer', 'merchant', 'owners' or 'invitee'
    is_notice: bool = False  # a payment notice: only where the invoice asks for it


@dataclass(frozen=True)
class Plan:
    mails: tuple[Mail, ...] = ()
    webhook: bool = True
    webhook_is_notice: bool = False


OWNERS = Plan((Mail("owners_told", "owners"),), webhook=False)
# Of a refund everybody is always told: it needs a hand, and it is no payment notice.
ASKED, TOLD, NEWS = Mail("refund_wanted", "payer"), Mail("refund_told", "payer"), Mail("refund_news", "merchant")

PLANS: dict[str, Plan] = {
    "invoice.issued": Plan((Mail("issued", "payer"),)),
    "invoice.viewed": Plan(),
    "payment.detected": Plan(webhook_is_notice=True),
    "payment.confirmed": Plan(webhook_is_notice=True),
    "payment.part_received": Plan((Mail("part_received", "payer"),), webhook_is_notice=True),
    "payment.overpaid": Plan((Mail("overpaid", "merchant"),), webhook_is_notice=True),
    "payment.late": Plan((Mail("late", "merchant"),), webhook_is_notice=True),
    "payment.dropped": Plan(webhook_is_notice=True),
    "payment.unassigned": Plan((Mail("unassigned", "merchant"),)),
    "payment.assigned": Plan(webhook_is_notice=True),
    "payment.handled": Plan(webhook_is_notice=True),
    "payment.recorded": Plan(webhook_is_notice=True),
    "payment.reversed": Plan(webhook_is_notice=True),
    "invoice.paid": Plan((Mail("receipt", "payer"), Mail("paid", "merchant", is_notice=True)), webhook_is_notice=True),
    "invoice.reopened": Plan((Mail("reopened", "merchant"),)),
    "invoice.voided": Plan((Mail("cancelled", "payer"),)),
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
    "member.invited": Plan((Mail("invitation", "invitee"),), webhook=False),
    "member.joined": OWNERS,
    "member.role_changed": OWNERS,
    "member.removed": OWNERS,
    "member.left": OWNERS,
    "merchant.handed_over": OWNERS,
    "merchant.changed": OWNERS,  # those are told whom the event names, as that of the late policy does
    "endpoint.added": OWNERS,
    "endpoint.changed": OWNERS,
    "endpoint.secret_rotated": OWNERS,
    "endpoint.disabled": OWNERS,
    "wallet.connected": OWNERS,
    "wallet.replaced": OWNERS,
    "wallet.retired": OWNERS,
}

TEMPLATES: dict[str, str] = {mail.template: mail.to for plan in PLANS.values() for mail in plan.mails}  # template → audience
