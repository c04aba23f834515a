"""Event kind → who hears of it, and how: a line per kind. A kind that is not here is heard by nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    """An email. `template` names its folder under templates/emails/ and its function in `emails`."""

    template: str
    to: str  # 'payer' or 'merchant'
    is_notice: bool = False  # a payment notice: only where the invoice asks for it


@dataclass(frozen=True)
class Plan:
    mails: tuple[Mail, ...] = ()
    webhook: bool = True
    webhook_is_notice: bool = False


PLANS: dict[str, Plan] = {
    "invoice.issued": Plan((Mail("issued", "payer"),)),
    "invoice.viewed": Plan(),
    "payment.detected": Plan(webhook_is_notice=True),
    "payment.confirmed": Plan(webhook_is_notice=True),
    "payment.part_received": Plan((Mail("part_received", "payer"),), webhook_is_notice=True),
    "payment.overpaid": Plan((Mail("overpaid", "merchant"),), webhook_is_notice=True),
    "payment.late": Plan((Mail("late", "merchant"),), webhook_is_notice=True),
    "payment.dropped": Plan(webhook_is_notice=True),
    "invoice.paid": Plan((Mail("receipt", "payer"), Mail("paid", "merchant", is_notice=True)), webhook_is_notice=True),
    "invoice.reopened": Plan((Mail("reopened", "merchant"),)),
    "invoice.voided": Plan((Mail("cancelled", "payer"),)),
    "invoice.missed": Plan((Mail("missed", "merchant"),)),
}

TEMPLATES: dict[str, str] = {mail.template: mail.to for plan in PLANS.values() for mail in plan.mails}  # template → audience
