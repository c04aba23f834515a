"""How many mails a merchant may send in a day, so that an installation is no phishing relay."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from merchants.models import Merchant
from merchants.moments import local
from notifications.models import Channel, Delivery


def day_of(merchant: Merchant, now: datetime) -> tuple[datetime, datetime]:
    """When the merchant's day began, and when its next one begins, in its own zone."""
    zone = ZoneInfo(merchant.time_zone)
    today = local(now, merchant.time_zone).date()
    return datetime.combine(today, time(), tzinfo=zone), datetime.combine(today + timedelta(days=1), time(), tzinfo=zone)


def left_today(merchant: Merchant, *, now: datetime) -> int:
    """How many mails the merchant may still send today; what is being sent counts."""
    began, _ends = day_of(merchant, now)
    gone = Q(status=Delivery.State.SENT, sent_at__gte=began) | Q(status=Delivery.State.SENDING)
    return merchant.daily_mail_limit - Delivery.objects.filter(gone, merchant=merchant, channel=Channel.EMAIL).count()


def put_off(waiting: QuerySet[Delivery], *, now: datetime) -> None:
    """Move those of the due mails `waiting` that are over their merchant's limit to its next day, with the reason.

    The oldest go first. Two workers at once may let a few more through; the limit guards against floods.
    """
    for merchant in Merchant.objects.filter(pk__in=waiting.values("merchant_id").distinct()):
        room = max(left_today(merchant, now=now), 0)
        over = list(waiting.filter(merchant=merchant).order_by("next_at", "id").values_list("pk", flat=True)[room : room + 5000])
        if over:
            reason = _("The limit of %(count)d mails a day is reached; this one goes out tomorrow.") % {"count": merchant.daily_mail_limit}
            Delivery.objects.filter(pk__in=over, status=Delivery.State.QUEUED).update(next_at=day_of(merchant, now)[1], reason=reason)
