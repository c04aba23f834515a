"""PDFs as one zip: made once by a worker, seen while it is made, gone after a day; and what goes wrong with it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from invoicing import bundles, pdf
from invoicing.models import Bundle, Invoice
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.test_views_pages import url, words


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that say whose they are; printing has its own tests."""
    monkeypatch.setattr(pdf.stored.paper, "render", lambda invoice, _kind: b"%PDF-1.7 " + invoice.number.encode())


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


def issued(merchant: Merchant, count: int = 3) -> list[Invoice]:
    return [publish(make_draft(merchant), now=NOW) for _invoice in range(count)]


def ask(merchant: Merchant, owner: User, count: int = 3) -> Bundle:
    return bundles.ask(merchant, issued(merchant, count), by=owner, now=NOW)


def inside(bundle: Bundle) -> dict[str, bytes]:
    bundle.refresh_from_db()
    with bundle.file.open("rb") as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_pdf_is_in_it_once_by_its_number(merchant: Merchant, owner: User) -> None:
    bundle = ask(merchant, owner)
    assert bundles.make(bundle.pk, now=NOW)
    assert inside(bundle) == {f"INV-00000{number}.pdf": b"%%PDF-1.7 INV-00000%d" % number for number in (1, 2, 3)}
    assert (bundle.done, bundle.total, bundle.error, bundle.attempts, bundle.leased_until) == (3, 3, "", 1, None)


def test_what_was_printed_before_is_taken_as_it_is(merchant: Merchant, owner: User) -> None:
    bundle = ask(merchant, owner, 1)
    made = pdf.ensure(bundle.invoice_ids[0], now=NOW)
    bundles.make(bundle.pk, now=NOW)
    assert inside(bundle) == {"INV-000001.pdf": pdf.content(made)}


def test_names_are_unlike_each_other_and_lead_nowhere() -> None:
    numbers = ("INV/1", "INV-1", "inv-1", "../1", "", "Ünï 1")
    assert bundles.names([Invoice(pk=pk, number=number) for pk, number in enumerate(numbers, start=7)]) == [
        *("INV-1.pdf", "INV-1-8.pdf", "inv-1-9.pdf", "1.pdf", "11.pdf", "Ünï-1.pdf")
    ]


def test_progress_is_written_every_few_files(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, seen, ensure = ask(merchant, owner, 7), [], pdf.ensure

    def watching(*args: Any, **kwargs: Any) -> Any:
        seen.append(Bundle.objects.values_list("done", flat=True).get())
        return ensure(*args, **kwargs)

    monkeypatch.setattr(pdf, "ensure", watching)
    bundles.make(bundle.pk, now=NOW)
    assert seen == [0, 0, 0, 0, 0, 5, 5]


def test_a_second_worker_finds_it_taken_or_made(merchant: Merchant, owner: User) -> None:
    bundle = ask(merchant, owner)
    mine = bundles.claim(bundle.pk, now=NOW)
    assert mine is not None
    assert bundles.claim(bundle.pk, now=NOW) is None
    assert bundles.waiting(NOW) == []
    assert not bundles.make(bundle.pk, now=NOW + bundles.LEASE - timedelta(seconds=1))
    assert bundles.make(bundle.pk, now=NOW + bundles.LEASE)
    assert not bundles.make(bundle.pk, now=NOW + bundles.LEASE)
    with pytest.raises(bundles.Lost):
        mine.write(done=1)


def test_a_worker_that_lost_its_claim_leaves_no_file_behind(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, ensure, first = ask(merchant, owner, 1), pdf.ensure, [True]

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        if first.pop() if first else False:
            assert bundles.make(bundle.pk, now=NOW + timedelta(minutes=3))
        return ensure(*args, **kwargs)

    def kept() -> set[str]:
        folder = f"bundles/{merchant.pk}"
        return set(default_storage.listdir(folder)[1]) if default_storage.exists(folder) else set()

    before = kept()
    monkeypatch.setattr(pdf, "ensure", overtaken)
    assert not bundles.make(bundle.pk, now=NOW)
    bundle.refresh_from_db()
    assert kept() - before == {bundle.file.name.rpartition("/")[2]}


def test_one_that_cannot_be_printed_breaks_it_with_the_reason_and_it_can_be_tried_again(
    desk: Client, merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, ensure = ask(merchant, owner), pdf.ensure

    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise pdf.NotMade("The PDF of INV-000001 could not be made yet.")

    monkeypatch.setattr(pdf, "ensure", broken)
    assert not bundles.make(bundle.pk, now=NOW)
    page = words(desk.get(url("bundle", merchant, bundle.pk)))
    assert "It could not be made The PDF of INV-000001 could not be made yet." in page
    assert bundles.waiting(NOW + timedelta(hours=1)) == []
    monkeypatch.setattr(pdf, "ensure", ensure)
    assert "Making 3 PDFs" in words(desk.post(url("bundle_again", merchant, bundle.pk), follow=True))
    assert bundles.make(bundle.pk, now=NOW)
    assert len(inside(bundle)) == 3
    assert "It is being made already." in words(desk.post(url("bundle_again", merchant, bundle.pk), follow=True))


def test_a_disk_that_is_full_is_a_reason_too(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_kwargs: Any) -> Any:
        raise OSError(28, "No space left on device")

    bundle = ask(merchant, owner, 1)
    monkeypatch.setattr(bundles.tempfile, "TemporaryFile", full)
    assert not bundles.make(bundle.pk, now=NOW)
    bundle.refresh_from_db()
    assert bundle.error == "OSError: [Errno 28] No space left on device"


def test_what_kills_its_worker_is_given_up_after_the_third_time(merchant: Merchant, owner: User) -> None:
    bundle, now = ask(merchant, owner, 1), NOW
    for _time in range(3):
        assert bundles.waiting(now) == [bundle.pk]
        assert bundles.claim(bundle.pk, now=now)
        now += bundles.LEASE
    assert not bundles.make(bundle.pk, now=now)
    bundle.refresh_from_db()
    assert (bundle.error, bundle.attempts, bundles.waiting(now)) == ("It was begun three times and never came to an end.", 3, [])


def test_only_the_merchants_own_invoices_are_in_it(merchant: Merchant, owner: User) -> None:
    theirs = issued(make_merchant(slug="other", number_prefix="THEIRS-"), 1)
    bundle = bundles.ask(merchant, [*issued(merchant, 1), *theirs], by=owner, now=NOW)
    bundles.make(bundle.pk, now=NOW)
    assert list(inside(bundle)) == ["INV-000001.pdf"]


def test_it_has_one_to_five_hundred_invoices(merchant: Merchant, owner: User) -> None:
    for invoices in ([], [Invoice(pk=1)] * 501):
        with pytest.raises(ValueError, match="1 to 500"):
            bundles.ask(merchant, invoices, by=owner, now=NOW)


def test_after_a_day_it_is_gone_with_its_file(merchant: Merchant, owner: User, django_capture_on_commit_callbacks: Any) -> None:
    old, young = ask(merchant, owner, 1), ask(merchant, owner, 1)
    for bundle in (old, young):
        bundles.make(bundle.pk, now=NOW)
        bundle.refresh_from_db()
    Bundle.objects.filter(pk=young.pk).update(created_at=NOW + timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert bundles.purge(now=NOW + timedelta(hours=24, seconds=1)) == 1
    assert list(Bundle.objects.all()) == [young]
    assert (default_storage.exists(old.file.name), default_storage.exists(young.file.name)) == (False, True)


# --- its page -----------------------------------------------------------------------------------------------------
def test_the_page_says_how_far_it_is_and_then_gives_the_file(desk: Client, merchant: Merchant, owner: User) -> None:
    bundle = ask(merchant, owner)
    Bundle.objects.update(done=2)
    page = desk.get(url("bundle", merchant, bundle.pk))
    assert '<progress class="bundle-progress" value="2" max="3"' in page.content.decode()
    assert "2 of 3 are in the zip. You may leave this page and come back to it. Look again" in words(page)
    assert desk.get(url("bundle_file", merchant, bundle.pk)).url == url("bundle", merchant, bundle.pk)
    bundles.make(bundle.pk, now=NOW)
    assert "3 PDFs are ready" in words(desk.get(url("bundle", merchant, bundle.pk)))
    answer = desk.get(url("bundle_file", merchant, bundle.pk))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="invoices-2026-11-17.zip"'
    assert b"".join(answer.streaming_content)[:2] == b"PK"


def test_a_viewer_and_another_merchant_do_not_get_it(
    client_as: Callable[[User], Client], viewer: User, desk: Client, merchant: Merchant, owner: User
) -> None:
    other = make_merchant(slug="other")
    theirs = ask(other, owner, 1)
    ours = ask(merchant, owner, 1)
    for name in ("bundle", "bundle_file"):
        assert client_as(viewer).get(url(name, merchant, ours.pk)).status_code == 403
        assert desk.get(url(name, merchant, theirs.pk)).status_code == 404
