"""A mail provider's word of what became of a mail that it had taken."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from merchants import clock
from notifications import outbox
from notifications.models import Channel, Delivery
from notifications.transports import readable

CAME_BACK = frozenset({"bounced", "rejected", "failed"})  # as anymail names them


def told(sender: Any, event: Any, esp_name: str, **_more: Any) -> None:
    """Receiver of `anymail.signals.tracking`: a mail that came back has not been delivered. What we do not know is not ours."""
    if event.event_type not in CAME_BACK or not event.message_id:
        return
    known = Delivery.objects.filter(channel=Channel.EMAIL, provider_id=event.message_id).select_related("merchant", "invoice", "event")
    if event.recipient:
        known = known.filter(recipient__iexact=event.recipient)
    for delivery in known:
        outbox.bounced(delivery, reason=_reason(event, esp_name), now=clock.now())


def _reason(event: Any, esp_name: str) -> str:
    said = " ".join(readable(str(event.mta_response or event.description or event.reject_reason or "")).split())
    if said:
        return _("It came back: %(answer)s") % {"answer": said[:220]}
    return _("%(provider)s could not deliver it.") % {"provider": esp_name}
