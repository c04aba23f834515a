"""Before it is sent: page, mail and PDF as the payer will get them, and nothing that can be pressed in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing import previewing
from invoicing.models import Invoice, LineItem
from merchants import clock
from merchants.models import Event, Logo, Merchant, User
from notifications.mail import emails
from notifications.models import Delivery
from tests.factories import make_draft, publish
from tests.invoicing.test_pdf import texts
from tests.invoicing.test_views_pages import url, words

LINES = [("Logo and wordmark", "1", "1800.00", "23"), ("Stationery", "6", "92.50", "23")]


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def draft_of(merchant: Merchant, **fields: Any) -> Invoice:
    return make_draft(merchant, lines=LINES, **{"due_at": clock.now() + timedelta(days=14), **fields})


def body(page: bytes | str) -> str:
    """A page without what differs from one request to the next, and without what a preview takes away."""
    text = page.decode() if isinstance(page, bytes) else page
    text = re.sub(r'<form method="post"[^>]*data-viewed.*?</form>|<script\b[^>]*></script>', "", text, flags=re.S)
    text = re.sub(r'<link rel="stylesheet" href="(?:/i/|/m/)[^"]*brand.css">|<img src="[^"]*logo.png"', "", text)
    text = re.sub(r'(<a\b[^>]*?\s)href="[^"]*"', r"\1", text)
    return " ".join(text.split())


def test_the_page_is_the_one_the_payer_gets(desk: Client, merchant: Merchant, client: Client) -> None:
    draft = draft_of(merchant, description="Second of three phases.")
    shown = desk.get(url("invoice_preview_page", merchant, draft.pk))
    issued = publish(draft, now=clock.now())
    real = client.get(f"/i/{issued.public_id}/")
    assert body(shown.content).replace("[number]", "INV-000001") == body(real.content)


def test_the_mail_is_the_one_the_payer_gets(desk: Client, merchant: Merchant) -> None:
    merchant.logo = Logo.keep(b"\x89PNG of a logo")
    merchant.save()
    draft, now = draft_of(merchant), clock.now()
    seen = emails.preview(previewing.as_issued(draft, now=now), now=now)
    framed = desk.get(url("invoice_preview_mail", merchant, draft.pk)).content.decode()
    issued = publish(draft, now=now)
    event = Event.objects.get(kind="invoice.issued")
    row = Delivery(merchant=merchant, event=event, invoice=issued, channel="email", template="issued", recipient=issued.payer_email)
    real = emails.write(row, now=now)
    for part in ("subject", "text", "html", "sender_name", "reply_to", "language", "logo"):
        found = getattr(seen, part)
        assert (found.replace("[number]", "INV-000001") if isinstance(found, str) else found) == getattr(real, part), part
    assert "cid:logo" not in framed
    assert "data:image/png;base64," in framed


def test_the_pdf_is_the_one_the_payer_gets(desk: Client, merchant: Merchant) -> None:
    draft, now = draft_of(merchant), clock.now()
    answer = desk.get(url("invoice_preview_pdf", merchant, draft.pk))
    assert (answer["Content-Type"], answer["Content-Disposition"]) == ("application/pdf", 'inline; filename="preview.pdf"')
    from invoicing import pdf

    issued = publish(draft, now=now)
    real = pdf.content(pdf.ensure(issued.pk, now=now))
    assert " ".join(texts(answer.content)).replace("[number]", "INV-000001").split() == " ".join(texts(real)).split()
    assert desk.get(url("invoice_preview_pdf", merchant, draft.pk) + "?download").status_code == 302  # it is issued now


def test_one_that_waits_for_its_time_is_shown_as_it_will_be_then(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    draft = draft_of(merchant, issue_at=now + timedelta(days=40), due_at=now + timedelta(days=60))
    issued = publish(draft, now=now)
    assert issued.status == "scheduled"
    shown = previewing.as_issued(issued, now=now)
    assert (shown.status, shown.issued_at, shown.number) == ("open", issued.issue_at, "[number]")
    assert "Overdue" not in words(desk.get(url("invoice_preview_page", merchant, issued.pk)))


def test_nothing_is_stored_by_looking(desk: Client, merchant: Merchant) -> None:
    draft = draft_of(merchant)
    before = Invoice.objects.values().get(pk=draft.pk)
    for name in ("invoice_preview", "invoice_preview_page", "invoice_preview_pdf", "invoice_preview_mail"):
        for show in ("page", "email", "pdf"):
            assert desk.get(url(name, merchant, draft.pk), {"show": show, "width": "phone"}).status_code == 200
    assert Invoice.objects.values().get(pk=draft.pk) == before
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)


def test_its_links_open_nothing(desk: Client, merchant: Merchant) -> None:
    draft = draft_of(merchant)
    for name in ("invoice_preview_page", "invoice_preview_mail"):
        html = desk.get(url(name, merchant, draft.pk)).content.decode()
        assert set(re.findall(r'<a\b[^>]*?\shref="([^"]*)"', html)) <= {"#", "#main"}, name
    page = desk.get(url("invoice_preview_page", merchant, draft.pk)).content.decode()
    assert "data-viewed" not in page
    assert "<script" not in page
    assert f"/i/{draft.public_id}" not in page


def test_a_message_for_the_member_is_not_shown_as_the_payers(desk: Client, merchant: Merchant) -> None:
    draft = draft_of(merchant)
    desk.post(url("invoice_archive", merchant, draft.pk))  # refused, with a message that waits
    assert "can be archived" not in words(desk.get(url("invoice_preview_page", merchant, draft.pk)))
    assert "can be archived" in words(desk.get(url("invoice", merchant, draft.pk)))


def test_only_these_frames_may_be_framed_and_only_by_this_site(desk: Client, merchant: Merchant) -> None:
    draft = draft_of(merchant)
    for name in ("invoice_preview_page", "invoice_preview_pdf", "invoice_preview_mail"):
        answer = desk.get(url(name, merchant, draft.pk))
        assert answer["X-Frame-Options"] == "SAMEORIGIN", name
        policy = answer["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in policy, name
        assert "default-src 'none'" in policy, name
        assert "form-action 'none'" in policy, name
        assert "script-src 'self'" not in policy, name
    shell = desk.get(url("invoice_preview", merchant, draft.pk))
    assert (shell["X-Frame-Options"], "frame-src 'self'" in shell["Content-Security-Policy"]) == ("DENY", True)
    assert "frame-ancestors 'none'" in shell["Content-Security-Policy"]
    assert "frame-src" not in desk.get(url("invoice", merchant, draft.pk))["Content-Security-Policy"]


@pytest.mark.parametrize(
    "missing", [{"title": ""}, {"due_at": None}, {"payer_name": "", "payer_email": ""}, {"all_assets": False}, {"total_minor": 0}]
)
def test_what_is_not_whole_is_shown_as_far_as_it_goes(desk: Client, merchant: Merchant, missing: dict[str, Any]) -> None:
    draft = draft_of(merchant)
    Invoice.objects.filter(pk=draft.pk).update(**missing)
    for name in ("invoice_preview_page", "invoice_preview_pdf", "invoice_preview_mail"):
        assert desk.get(url(name, merchant, draft.pk)).status_code == 200, name
    shell = words(desk.get(url("invoice_preview", merchant, draft.pk), {"show": "email"}))
    assert "Not ready to be published." in shell
    assert "Publish…" not in shell


def test_the_shell_shows_one_of_three_and_two_widths(desk: Client, merchant: Merchant) -> None:
    draft = draft_of(merchant)
    path = url("invoice_preview", merchant, draft.pk)
    assert f'src="{url("invoice_preview_page", merchant, draft.pk)}"' in desk.get(path).content.decode()
    mail = desk.get(path, {"show": "email", "width": "phone"}).content.decode()
    assert f'class="preview-frame preview-frame--phone" sandbox="" src="{url("invoice_preview_mail", merchant, draft.pk)}"' in mail
    assert "Invoice [number] from Harbour &amp; Pine: 2,896.65 EUR" in mail
    assert desk.get(path, {"show": "nonsense", "width": "x"}).status_code == 200
    pdf = desk.get(path, {"show": "pdf"}).content.decode()
    assert f'href="{url("invoice_preview_pdf", merchant, draft.pk)}?download"' in pdf


def test_an_issued_one_has_no_preview(desk: Client, merchant: Merchant) -> None:
    issued = publish(draft_of(merchant), now=clock.now())
    answer = desk.get(url("invoice_preview", merchant, issued.pk), follow=True)
    assert "INV-000001 has been issued; what the payer got is on its page." in words(answer)
    for name in ("invoice_preview_page", "invoice_preview_pdf", "invoice_preview_mail"):
        assert desk.get(url(name, merchant, issued.pk)).status_code == 302


def test_one_that_is_stored_nowhere_can_be_shown_too(rf: Any, merchant: Merchant, owner: User) -> None:
    """As a schedule shows an occurrence that has not come."""
    source = draft_of(merchant)
    lines = [
        LineItem(position=line.position, description=line.description, unit_price_minor=1, amount_minor=line.amount_minor)
        for line in source.lines.all()
    ]
    bare = Invoice(
        merchant=merchant, **{name: getattr(source, name) for name in ("payer_name", "payer_email", "title", "currency", "due_at", "total_minor")}
    )
    shown = previewing.as_issued(previewing.holding(bare, lines=lines, attachments=[]), now=clock.now())
    request = rf.get("/")
    request.user, request.session = owner, {}
    assert "Stationery" in previewing.page(shown, request=request)
    assert "Stationery" in emails.preview(shown, now=clock.now()).text
    assert "Stationery" in " ".join(texts(previewing.paper(shown)))
    assert Invoice.objects.count() == 1
