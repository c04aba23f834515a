"""Two workers on one zip of PDFs. The twin takes the condition out of the claim, and must fail every time."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db.models import F

from invoicing import bundles, pdf
from invoicing.models import Bundle
from tests.factories import NOW, make_draft, make_merchant, make_user, publish
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def unconditional(pk: int, *, number: int, now: datetime) -> int:
    return Bundle.objects.filter(pk=pk).update(attempts=F("attempts") + 1, leased_until=now + bundles.LEASE)


def two_workers_on_one_bundle() -> None:
    owner = make_user(f"zipper-{next(_counter)}@harbourpine.example")
    merchant = make_merchant(owner, slug=f"zip-{next(_counter)}")
    bundle = bundles.ask(merchant, [publish(make_draft(merchant), now=NOW)], by=owner, now=NOW)
    meeting = Meeting(2)
    page = (pdf.stored.paper, "render", lambda _invoice, _kind: b"%PDF-1.7")
    with patched(page, (bundles, "_take", meeting.before(bundles._take))):
        results = race(*[lambda: bundles.make(bundle.pk, now=NOW)] * 2)
    assert sorted(results) == [False, True]
    bundle.refresh_from_db()
    assert (bundle.attempts, bundle.done, bundle.error) == (1, 1, "")
    assert bundle.ready_at is not None


def test_two_workers_on_one_bundle_make_one_file() -> None:
    two_workers_on_one_bundle()


def test_without_the_condition_in_the_claim_two_workers_take_it() -> None:
    with patched((bundles, "_take", unconditional)):
        assert failures(two_workers_on_one_bundle) == TWIN_RUNS
