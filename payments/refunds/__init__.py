"""Refunds: the one door for their status (`door`), and what goes through it. Nothing here asks the chain or sends a mail."""

from payments.refunds.asking import Terms, change, objection, of, reckon, request
from payments.refunds.claiming import claimed, expire_due, renew, restart
from payments.refunds.deciding import approve, cancel, fail, reject
from payments.refunds.door import CLAIM_LASTS, MOVES, MovedOn, Refused, facts_of, locked, refusal, tell
from payments.refunds.paying import Seen, found, missing, needed, note_fee, replaced, sent, unsent

__all__ = [
    "CLAIM_LASTS",
    "MOVES",
    "MovedOn",
    "Refused",
    "Seen",
    "Terms",
    "approve",
    "cancel",
    "change",
    "claimed",
    "expire_due",
    "facts_of",
    "fail",
    "found",
    "locked",
    "missing",
    "needed",
    "note_fee",
    "objection",
    "of",
    "reckon",
    "refusal",
    "reject",
    "renew",
    "replaced",
    "request",
    "restart",
    "sent",
    "tell",
    "unsent",
]
