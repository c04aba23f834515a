"""The merchant's own subject and opening words of its mails to payers: the one door for them.

A text may hold the placeholders below and no other braces. They are filled by plain replacing, once: what is put in is
never read again, so that a payer who is called '{number}' stays that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from merchants import events
from merchants.models import Event, Merchant, User
from notifications.fanout import new_message_id
from notifications.models import Channel, Delivery, Wording

KINDS = ("issued", "reminder", "part_received", "receipt", "cancelled")
PLACEHOLDERS: dict[str, str | Promise] = {
    "payer": _l("the payer’s name"),
    "number": _l("the invoice’s number"),
    "title": _l("what the invoice is for"),
    "amount": _l("what the mail is about, with its currency: still due, received, paid, or cancelled"),
    "due": _l("the due time, with its zone"),
    "business": _l("your business’s name"),
}
TESTED = "mail.tested"  # the event of a mail to the member who tries the words
_PLACE = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")
_BRACE = re.compile(r"{[^{}\n]{0,40}}?|}")


class Refused(Exception):
    """These words cannot be kept; the text says why."""


@dataclass(frozen=True)
class Words:
    """Empty: the usual ones."""

    subject: str = ""
    message: str = ""


def objection(text: str) -> str:
    """Why `text` cannot be kept; empty when it can."""
    if found := _BRACE.search(_PLACE.sub("", text)):
        return _("%(found)s is no placeholder. Use those of the list, and no other braces.") % {"found": found[0]}
    return ""


def filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values[found[1]], text)


def of(merchant_id: int, *, template: str, language: str) -> Words:
    """What is said in this kind of mail, in that language; a kind that has no words of the merchant's is not asked for."""
    if template not in KINDS:
        return Words()
    found = Wording.objects.filter(merchant=merchant_id, template=template, language=language).values_list("subject", "message").first()
    return Words(*found) if found else Words()


def own(merchant: Merchant) -> set[tuple[str, str]]:
    """The kinds and languages that the merchant has words of its own for."""
    return set(Wording.objects.filter(merchant=merchant).values_list("template", "language"))


def save(merchant: Merchant, words: Words, *, template: str, language: str, by: User, now: datetime) -> bool:
    """Say `words` from now on; whether that is a change. Two empty texts are the usual ones. Refused for unknown braces."""
    if reason := objection(words.subject) or objection(words.message):
        raise Refused(reason)
    with transaction.atomic():
        Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)
        if words == of(merchant.pk, template=template, language=language):
            return False
        rows = Wording.objects.filter(merchant=merchant, template=template, language=language)
        if words == Words():
            rows.delete()
        else:
            Wording.objects.update_or_create(
                merchant=merchant, template=template, language=language, defaults={"subject": words.subject, "message": words.message}
            )
        facts = {"fields": ["wordings"], "template": template, "language": language}
        events.record("merchant.changed", merchant=merchant, subject=merchant, now=now, by=by, facts=facts)
    return True


def reset(merchant: Merchant, *, template: str, language: str, by: User, now: datetime) -> bool:
    """Say the usual words again; whether that is a change."""
    return save(merchant, Words(), template=template, language=language, by=by, now=now)


def test(merchant: Merchant, words: Words, *, template: str, language: str, by: User, now: datetime) -> Delivery:
    """Mail a sample with `words` to the member who asks, and to nobody else. It need not be saved; the event keeps it."""
    if reason := objection(words.subject) or objection(words.message):
        raise Refused(reason)
    facts = _trial(words, template, language)
    with transaction.atomic():
        event = events.record(TESTED, merchant=merchant, subject=merchant, now=now, by=by, facts=facts)
        return Delivery.objects.create(
            merchant=merchant,
            event=event,
            channel=Channel.EMAIL,
            template=template,
            recipient=by.email,
            message_id=new_message_id(),
            next_at=now,
            created_at=now,
        )


def example(merchant: Merchant, words: Words, *, template: str, language: str) -> Delivery:
    """What `test` sends, for a page: never saved, and `emails.write` writes it."""
    event = Event(merchant=merchant, kind=TESTED, facts=_trial(words, template, language))
    return Delivery(merchant=merchant, event=event, channel=Channel.EMAIL, template=template)


def _trial(words: Words, template: str, language: str) -> dict[str, Any]:
    """The facts of a trial: of its own, and those that an event which such a mail tells of has."""
    told = {"template": template, "language": language, "subject": words.subject, "message": words.message}
    return told | ({"reminder": {"days": 0, "by_hand": True}} if template == "reminder" else {})
