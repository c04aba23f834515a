"""Writing an invoice over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from invoicing import authoring, uploads
from invoicing.models import Attachment, Invoice, Status
from merchants import clock
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.files import PDF, PNG
from tests.invoicing.page import row, sent

KEY = "f" * 43


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def soon(days: int) -> str:
    return f"{clock.now() + timedelta(days=days):%Y-%m-%d}"


def url(name: str, merchant: Merchant, *args: Any) -> str:
    return reverse(name, args=[merchant.slug, *args])


def whole(*rows: dict[str, str], **changes: Any) -> dict[str, Any]:
    return sent(*rows, **{"due_date": soon(14), **changes})


def test_the_page_asks_in_the_order_of_the_product(desk: Client, merchant: Merchant) -> None:
    page = desk.get(url("invoice_new", merchant)).content.decode()
    heads = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    first = ["Who pays", "From", "What for", "Items", "Attachments", "Accepted tokens"]
    assert heads == [*first, "When", "What the payer reads", "Reminders", "Tell me when it’s paid"]
    assert "Times are in Europe/Lisbon." in page
    assert 'value="Harbour &amp; Pine"' in page


def test_a_saved_draft_is_one_and_stays_open_for_writing(desk: Client, merchant: Merchant) -> None:
    answer = desk.post(url("invoice_new", merchant), whole(act="save"))
    draft = Invoice.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, url("invoice_edit", merchant, draft.pk))
    assert (draft.status, draft.total_minor, draft.payer_name) == (Status.DRAFT, 180_000, "Ana Duarte")


def test_save_clicked_twice_makes_one_draft(desk: Client, merchant: Merchant) -> None:
    answers = [desk.post(url("invoice_new", merchant), whole(act="save")) for _twice in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Invoice.objects.count() == 1


def test_a_refusal_is_beside_its_field_and_everything_typed_and_chosen_is_still_there(desk: Client, merchant: Merchant) -> None:
    rows = (row(unit_price="10.50", tax="VAT 23 %"), row(description="Second row", unit_price="7", discount="10 %"))
    data = whole(
        *rows, currency="JPY", payer_email="ana@", description="Two\nlines", prices_include_tax="1", all_assets=None, notify_email=None, act="publish"
    )
    data |= {"asset_ids": ["sandbox:harbour/slip44:60"], "files": [SimpleUploadedFile("work.pdf", PDF), SimpleUploadedFile("fake.png", b"<html>")]}
    page = desk.post(url("invoice_new", merchant), data).content.decode()
    assert Invoice.objects.count() == 0
    for words in (
        "JPY has no digits after the point. Write a whole number.",
        "This is not an email address. Write it like name@example.com.",
        "fake.png was not added. Its name ends in .png, but that is not what is inside.",
        'value="10.50"',
        'value="VAT 23 %"',
        'value="Second row"',
        'value="10 %"',
        'value="ana@"',
        "Two\nlines",
        "work.pdf",
        '<option value="JPY" selected>',
        'value="sandbox:harbour/slip44:60" checked',
        'name="prices_include_tax" value="1" checked',
        f'value="{KEY}"',
    ):
        assert words in page, words
    for words in (
        'name="all_assets" value="on" data-all checked',
        'value="sandbox:harbour/slip44:0" checked',
        'name="notify_email" value="on" checked',
    ):
        assert words not in page, words
    assert re.search(
        r'aria-describedby="id_lines-0-unit_price_error">\s*<p class="field-error" id="id_lines-0-unit_price_error">.*?JPY has no', page, re.S
    )


def test_a_file_sent_with_errors_is_taken_over_by_the_next_save(desk: Client, merchant: Merchant) -> None:
    desk.post(url("invoice_new", merchant), whole(payer_email="ana@", files=[SimpleUploadedFile("work.pdf", PDF)], act="save"))
    desk.post(url("invoice_new", merchant), whole(act="save"))
    assert list(Invoice.objects.get().attachments.values_list("name", flat=True)) == ["work.pdf"]


def test_without_a_script_rows_are_added_and_removed_and_nothing_is_judged(desk: Client, merchant: Merchant) -> None:
    data = whole(row(description="One", unit_price="x"), row(description="Two", unit_price="2"), payer_email="ana@")
    added = desk.post(url("invoice_new", merchant), data | {"add_line": "1"}).content.decode()
    assert [f'name="lines-{number}-description"' in added for number in range(4)] == [True, True, True, False]
    assert 'value="x"' in added
    assert "field-error" not in re.sub(r"<template.*?</template>", "", added, flags=re.S)
    removed = desk.post(url("invoice_new", merchant), data | {"remove_line": "0"}).content.decode()
    assert 'value="One"' not in removed
    assert 'name="lines-0-description" id="id_lines-0-description" value="Two"' in removed
    assert Invoice.objects.count() == 0


def test_without_a_script_a_file_is_removed_again(desk: Client, merchant: Merchant) -> None:
    desk.post(url("invoice_new", merchant), whole(add_line="1", files=[SimpleUploadedFile("work.pdf", PDF)]))
    stored = Attachment.objects.get()
    page = desk.post(url("invoice_new", merchant), whole(drop_file=stored.public_id)).content.decode()
    assert "work.pdf" not in page
    assert Attachment.objects.count() == 0


def test_a_saved_invoices_file_goes_only_when_the_form_is_saved(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant)
    stored = uploads.accept(SimpleUploadedFile("work.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    uploads.attach(draft, form_key=KEY, removed=())
    edit = url("invoice_edit", merchant, draft.pk)
    page = desk.post(edit, whole(version="1", drop_file=stored.public_id)).content.decode()
    assert "work.pdf" not in page
    assert f'name="removed" value="{stored.public_id}"' in page
    assert Attachment.objects.count() == 1
    desk.post(edit, whole(version="1", removed=stored.public_id, act="save"))
    assert Attachment.objects.count() == 0


def test_the_total_is_computed_on_the_server_as_one_types(desk: Client, merchant: Merchant) -> None:
    data = whole(
        row(unit_price="100", tax="23 %"),
        row(unit_price="oops"),
        **{"lines-9-description": "Nine", "lines-9-unit_price": "50", "lines-9-discount": "10 %"},
    )
    page = desk.post(url("invoice_totals", merchant), data).content.decode()
    cells = {
        name: re.sub(r"<[^>]+>", "", text).strip()
        for name, text in re.findall(r'data-part="(line-\d+)">(.*?)</span>\s*(?=<span data|<div)', page, re.S)
    }
    assert cells == {"line-0": "100.00", "line-1": "–", "line-9": "45.00"}
    assert re.search(r'data-part="total">.*?168\.00.*?EUR', page, re.S)
    assert "Tax 23\xa0%" in page
    assert "Ana Duarte" in page
    assert Invoice.objects.count() == 0


def test_publish_saves_and_asks_first(desk: Client, merchant: Merchant) -> None:
    answer = desk.post(url("invoice_new", merchant), whole(act="publish"))
    draft = Invoice.objects.get()
    assert (draft.status, answer["Location"]) == (Status.DRAFT, url("invoice_publish", merchant, draft.pk))
    page = desk.get(answer["Location"]).content.decode()
    assert "It gets its number and goes to Ana Duarte at once. What it says can then no longer be changed." in page
    assert "ana@duarte.example" in page
    assert "1,800.00" in page


def test_what_only_publishing_asks_for_is_shown_in_the_form_and_the_draft_is_saved(
    desk: Client, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invoicing import payability

    monkeypatch.setattr(payability, "checks", [lambda _invoice, _now: "No rate for EUR just now. Try again in a minute."])
    answer = desk.post(url("invoice_new", merchant), whole(act="publish"), follow=True)
    page = answer.content.decode()
    assert Invoice.objects.get().status == Status.DRAFT
    assert "This could not be published." in page
    assert "No rate for EUR just now. Try again in a minute." in page


def test_two_people_edit_the_same_draft_and_the_second_loses_nothing(
    desk: Client, merchant: Merchant, manager: User, client_as: Callable[[User], Client]
) -> None:
    draft = make_draft(merchant)
    edit = url("invoice_edit", merchant, draft.pk)
    desk.post(edit, whole(version="1", title="Hers", act="save"))
    second = client_as(manager)
    answer = second.post(edit, whole(version="1", form_key="m" * 43, title="His own title", act="save"))
    page = answer.content.decode()
    assert re.search(r"Inês Matos saved it at \d\d:\d\d while you were writing\.", page)
    assert 'value="His own title"' in page
    assert "Save mine as a new draft" in page
    draft.refresh_from_db()
    assert draft.title == "Hers"
    second.post(edit, whole(version="1", form_key="m" * 43, title="His own title", act="copy"))
    assert sorted(Invoice.objects.values_list("title", flat=True)) == ["Hers", "His own title"]


def test_what_was_typed_into_an_invoice_that_was_issued_meanwhile_is_offered_as_a_new_draft(desk: Client, merchant: Merchant) -> None:
    issued = publish(make_draft(merchant), now=NOW)
    edit = url("invoice_edit", merchant, issued.pk)
    page = desk.post(edit, whole(version="1", title="Too late", act="save")).content.decode()
    assert "INV-000001 has been issued; what it says can no longer be changed." in page
    assert 'value="Too late"' in page
    desk.post(edit, whole(version="1", title="Too late", act="copy"))
    assert list(Invoice.objects.order_by("id").values_list("title", "status")) == [("Brand identity, phase 2", "open"), ("Too late", "draft")]


def test_what_was_typed_into_a_deleted_draft_is_offered_as_a_new_one(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant)
    edit = url("invoice_edit", merchant, draft.pk)
    authoring.delete(draft, by=owner, now=NOW)
    page = desk.post(edit, whole(version="1", title="Still here", act="save")).content.decode()
    assert "This draft was deleted while you were writing." in page
    assert 'value="Still here"' in page
    desk.post(edit, whole(version="1", title="Still here", act="copy"))
    assert list(Invoice.objects.values_list("title", flat=True)) == ["Still here"]


def test_an_edited_scheduled_invoice_is_checked_as_a_published_one(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    waiting = publish(make_draft(merchant, issue_at=now + timedelta(days=2), due_at=now + timedelta(days=9)), now=now)
    edit = url("invoice_edit", merchant, waiting.pk)
    refused = desk.post(edit, whole(version=str(waiting.version), issue_date=soon(3), title="", act="save")).content.decode()
    assert "Give it a title." in refused
    saved = desk.post(edit, whole(version=str(waiting.version), issue_date=soon(3), title="New title", act="save"))
    assert saved["Location"] == url("invoice", merchant, waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.title) == (Status.SCHEDULED, "New title")


def test_an_issued_invoice_has_no_form(desk: Client, merchant: Merchant) -> None:
    issued = publish(make_draft(merchant), now=NOW)
    assert desk.get(url("invoice_edit", merchant, issued.pk))["Location"] == url("invoice", merchant, issued.pk)


def test_another_merchants_invoice_is_not_there_to_edit(desk: Client, merchant: Merchant) -> None:
    foreign = make_draft(make_merchant(slug="other"))
    edit = url("invoice_edit", merchant, foreign.pk)
    assert desk.get(edit).status_code == 404
    assert desk.post(edit, whole(version="1", act="save")).status_code == 404
    assert desk.post(edit, whole(version="1", act="copy")).status_code == 404


def test_three_hundred_lines_are_saved_and_shown_again(desk: Client, merchant: Merchant) -> None:
    rows = [row(description=f"Item {number}", unit_price="0.10", tax="23 %") for number in range(300)]
    answer = desk.post(url("invoice_new", merchant), whole(*rows, act="save"))
    assert Invoice.objects.get().total_minor == 3_690
    page = desk.get(answer["Location"]).content.decode()
    assert 'value="Item 299"' in page
    assert page.count('data-line="') == 301


# --- uploads by script --------------------------------------------------------------------------------------------
def test_a_file_is_stored_at_once_and_answers_with_its_row(desk: Client, merchant: Merchant) -> None:
    answer = desk.post(url("upload_add", merchant), {"form_key": KEY, "file": SimpleUploadedFile("mood <b>.png", PNG)})
    stored = Attachment.objects.get()
    assert (answer.status_code, stored.name, stored.merchant, stored.invoice) == (201, "mood <b>.png", merchant, None)
    assert "mood &lt;b&gt;.png" in answer.content.decode()
    assert url("upload_remove", merchant, stored.public_id) in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"form_key": KEY}, "No file arrived. Choose it again."),
        ({"form_key": "short"}, "No file arrived. Choose it again."),
        ({"form_key": KEY, "file": "evil"}, "a.pdf was not added. Its name ends in .pdf, but that is not what is inside."),
    ],
)
def test_a_refused_upload_says_why(desk: Client, merchant: Merchant, data: dict[str, Any], words: str) -> None:
    if "file" in data:
        data = {**data, "file": SimpleUploadedFile("a.pdf", b"<html>")}
    answer = desk.post(url("upload_add", merchant), data)
    assert (answer.status_code, answer.content.decode(), answer["Content-Type"]) == (422, words, "text/plain; charset=utf-8")
    assert Attachment.objects.count() == 0


def test_only_ones_own_pending_upload_can_be_removed(desk: Client, merchant: Merchant, owner: User) -> None:
    def store(of: Merchant) -> Attachment:
        return uploads.accept(SimpleUploadedFile("a.pdf", PDF), merchant=of, form_key=KEY, by=owner, now=NOW)

    mine, foreign, used = store(merchant), store(make_merchant(slug="other")), store(merchant)
    Attachment.objects.filter(pk=used.pk).update(invoice=make_draft(merchant))
    answers = {one: desk.post(url("upload_remove", merchant, one.public_id)).status_code for one in (mine, foreign, used)}
    assert list(answers.values()) == [204, 404, 404]
    assert set(Attachment.objects.values_list("pk", flat=True)) == {foreign.pk, used.pk}


def test_another_merchants_upload_is_not_taken_over_with_its_form_key(desk: Client, merchant: Merchant, owner: User) -> None:
    foreign = uploads.accept(SimpleUploadedFile("secret.pdf", PDF), merchant=make_merchant(slug="other"), form_key=KEY, by=owner, now=NOW)
    page = desk.post(url("invoice_new", merchant), whole(add_line="1")).content.decode()
    assert "secret.pdf" not in page
    desk.post(url("invoice_new", merchant), whole(drop_file=foreign.public_id))
    desk.post(url("invoice_new", merchant), whole(act="save"))
    foreign.refresh_from_db()
    assert (foreign.invoice_id, foreign.form_key) == (None, KEY)
    assert Invoice.objects.get().attachments.count() == 0


def test_a_viewer_writes_nothing(merchant: Merchant, viewer: User, client_as: Callable[[User], Client]) -> None:
    draft = make_draft(merchant)
    looking = client_as(viewer)
    for name, args in (("invoice_new", ()), ("invoice_edit", (draft.pk,)), ("invoice_totals", ()), ("upload_add", ())):
        assert looking.post(url(name, merchant, *args), whole(act="save")).status_code == 403
    assert Invoice.objects.count() == 1
