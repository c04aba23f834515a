"""Publishing, issuing and numbering, many at once. Each race has a twin without its guard, which must fail every time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from invoicing import issuing, lifecycle, numbering, snapshot
from invoicing.models import Invoice
from merchants.models import Event, Merchant
from tests.factories import NOW, make_draft, make_merchant
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

LATER = NOW + timedelta(days=1)


def unlocked(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


def unconditional(invoice: Invoice, _old: Any, changes: dict[str, Any]) -> int:
    return Invoice.objects.filter(pk=invoice.pk).update(**changes)


_counter = iter(range(10_000))


def fresh_merchant() -> Merchant:
    return make_merchant(slug=f"racer-{next(_counter)}")


def issued(merchant: Merchant) -> list[str]:
    numbers = Invoice.objects.filter(merchant=merchant).exclude(number="").values_list("number", flat=True)
    assert Event.objects.filter(merchant=merchant, kind="invoice.issued").count() == len(numbers)
    return sorted(numbers)


def double_clicked_publish() -> None:
    merchant = fresh_merchant()
    draft = make_draft(merchant)
    meeting = Meeting(2)
    with patched((snapshot, "freeze", meeting.before(snapshot.freeze))):
        results = race(*[lambda: lifecycle.publish(draft, by=None, version=1, now=NOW)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "Refused"]
    assert issued(merchant) == ["INV-000001"]
    assert Event.objects.filter(merchant=merchant, kind="invoice.issued").count() == 1


def test_a_double_clicked_publish_issues_once() -> None:
    double_clicked_publish()


def test_without_the_lock_and_the_condition_a_double_click_issues_twice() -> None:
    with patched((lifecycle, "locked", unlocked), (lifecycle, "_swap", unconditional)):
        assert failures(double_clicked_publish) == TWIN_RUNS


def four_workers_on_the_same_due_invoices() -> None:
    merchant = fresh_merchant()
    for _invoice in range(3):
        draft = make_draft(merchant, issue_at=LATER)
        lifecycle.publish(draft, by=None, version=1, now=NOW)
    meeting, logged = Meeting(4), []
    with patched((snapshot, "freeze", meeting.before(snapshot.freeze)), (issuing.logger, "exception", lambda *said: logged.append(said))):
        results = race(*[lambda: issuing.run_due(now=LATER)] * 4)
    assert ([result for result in results if isinstance(result, Exception)], logged) == ([], [])
    assert sum(results) == 3
    assert issued(merchant) == ["INV-000001", "INV-000002", "INV-000003"]


def test_four_workers_issue_each_due_invoice_once() -> None:
    four_workers_on_the_same_due_invoices()


def test_without_the_row_lock_and_the_condition_workers_issue_twice() -> None:
    queryset = type(Invoice.objects.all())

    def plain(self: Any, *_args: Any, **_kwargs: Any) -> Any:
        return self.all()

    with patched((queryset, "select_for_update", plain), (lifecycle, "_swap", unconditional)):
        assert failures(four_workers_on_the_same_due_invoices) == TWIN_RUNS


def eight_issues_at_once(take: Callable[[int], str] | None = None) -> None:
    merchant = fresh_merchant()
    drafts = [make_draft(merchant) for _draft in range(8)]
    with patched(*([(numbering, "take", take)] if take else [])):
        race(*[lambda draft=draft: lifecycle.publish(draft, by=None, version=1, now=NOW) for draft in drafts])
    assert issued(merchant) == [f"INV-{n:06d}" for n in range(1, 9)]


def test_eight_issues_at_once_take_eight_numbers_without_a_gap() -> None:
    eight_issues_at_once()


def test_without_the_lock_on_the_series_numbers_collide() -> None:
    meeting = Meeting(8)

    def careless(merchant_id: int) -> str:
        merchant = Merchant.objects.get(pk=merchant_id)
        meeting.wait()
        Merchant.objects.filter(pk=merchant_id).update(next_number=merchant.next_number + 1)
        return f"{merchant.number_prefix}{merchant.next_number:06d}"

    assert failures(lambda: eight_issues_at_once(careless)) == TWIN_RUNS


def test_two_people_save_the_same_draft_and_one_is_told() -> None:
    from django.db import transaction

    draft = make_draft(fresh_merchant())

    def save() -> int:
        with transaction.atomic():
            return lifecycle.claim_edit(draft, version=1).version

    results = race(save, save)
    assert sorted(map(str, results)) == ["2", "It was saved again after this page was opened."]
