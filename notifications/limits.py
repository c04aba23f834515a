"""How many mails a merchant may send in a day, so that an installation is no phishing relay."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from merchants.models import Merchant
from merchants.moments import local
from notifications.models import Channel, Delivery

MOVED = 5000  # mails at a time


def day_of(merchant: Merchant, now: datetime) -> tuple[datetime, datetime]:
    """When the merchant's day began, and when its next one begins, in its own zone."""
    zone = ZoneInfo(merchant.time_zone)
    today = local(now, merchant.time_zone).date()
    return datetime.combine(today, time(), tzinfo=zone), datetime.combine(today + timedelta(days=1), time(), tzinfo=zone)


def left_today(merchant: Merchant, *, now: datetime) -> int:
    """How many mails the merchant may still send today; what is being sent counts, and so does what has left and come back."""
    began, _ends = day_of(merchant, now)
    mails = Delivery.objects.filter(merchant=merchant, channel=Channel.EMAIL)
    gone = mails.filter(sent_at__gte=began).count() + mails.filter(status=Delivery.State.SENDING).count()
    return merchant.daily_mail_limit - gone


def room(merchant_id: int, waiting: QuerySet[Delivery], wanted: int, *, now: datetime) -> int:
    """How many of the merchant's due mails `waiting`, the oldest first, may leave: `wanted`, or fewer. Then those that are over
    the limit go to its next day, with the reason.

    Two senders at once may let a few more through; the limit guards against floods.
    """
    merchant = Merchant.objects.get(pk=merchant_id)
    left = max(left_today(merchant, now=now), 0)
    if left >= wanted:
        return wanted
    if over := list(waiting.values_list("pk", flat=True)[left : left + MOVED]):
        reason = _("The limit of %(count)d mails a day is reached; this one goes out tomorrow.") % {"count": merchant.daily_mail_limit}
        Delivery.objects.filter(pk__in=over, status=Delivery.State.QUEUED).update(next_at=day_of(merchant, now)[1], reason=reason)
    return left
