"""What needs a hand, as the overview lists it: mails that were held back, and PDFs that could not be made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from invoicing.attention import matters
from invoicing.models import Rendering
from merchants.models import Merchant, User
from notifications import courier, fanout, outbox
from notifications.models import Delivery
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db

LATE = NOW + timedelta(days=15)


def titles(merchant: Merchant) -> list[str]:
    return [matter.title for matter in matters(merchant, LATE)]


def test_a_mail_held_back_past_the_due_time_is_listed_until_it_is_sent_anyway(merchant: Merchant, owner: User) -> None:
    publish(make_draft(merchant), now=NOW)
    publish(make_draft(make_merchant(slug="another")), now=NOW)
    fanout.run(NOW)
    assert titles(merchant) == []
    courier.round_of("email", now=LATE)
    assert titles(merchant) == ["Ana Duarte has not been told of INV-000001"]
    held = Delivery.objects.get(merchant=merchant, status="cancelled")
    outbox.send_again(held, by=owner, now=LATE, force=True)
    assert titles(merchant) == []


def test_a_pdf_that_could_not_be_made_three_times_is_listed(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant), now=NOW)
    Rendering.objects.filter(invoice=invoice).update(attempts=2)
    assert titles(merchant) == []
    Rendering.objects.filter(invoice=invoice).update(attempts=3)
    assert titles(merchant) == ["The PDF of INV-000001 could not be made"]
