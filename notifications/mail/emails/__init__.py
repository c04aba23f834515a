"""What each email says: one small function per kind, from a delivery to the context of its three templates.

A mail is written as it leaves: its links are made then and stored nowhere, and each kind looks again whether it still
holds. What no longer does is `Withheld`. A module per subject: `about` finds what the mail is about, `context` says it.
"""

from __future__ import annotations

from datetime import datetime
from types import ModuleType

from django.conf import settings
from django.utils import translation

from notifications.mail.emails import invoices, lost, members, payments, refunds, schedules, troubles
from notifications.mail.emails.invoices import preview
from notifications.mail.emails.letter import Letter, compose, one_line
from notifications.models import Delivery
from notifications.transports import Withheld

SUBJECTS = (invoices, schedules, members, payments, refunds, lost, troubles)
KINDS: dict[str, ModuleType] = {kind: subject for subject in SUBJECTS for kind in subject.KINDS}


def write(delivery: Delivery, *, now: datetime) -> Letter:
    """The mail of `delivery` at `now`; Withheld when it must not leave any more."""
    subject = KINDS[delivery.template]
    matter = subject.about(delivery, now)
    try:
        with translation.override(matter.language):
            letter: Letter = compose(matter, subject.context(matter))
    except Withheld:
        with translation.override(settings.LANGUAGE_CODE):
            subject.context(matter)  # why it must not leave is read by the members, in the language of their pages
        raise
    return letter


__all__ = ["KINDS", "Letter", "one_line", "preview", "write"]
