"""After issuing, nothing that was said follows the living: every surface, byte for byte."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from invoicing import pdf
from invoicing.models import Invoice, Payer, Rendering
from merchants import assets, clock
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from notifications.transports import Withheld
from tests.payments.money import Story

pytestmark = pytest.mark.django_db

TOKEN = re.compile(rb'name="(?:csrfmiddlewaretoken|form_key)" value="[^"]+"|nonce="[^"]+"')


def rename_everything(settings: Any, folder: Path) -> None:
    """The payer, the merchant and the asset, as far as they can be."""
    Payer.objects.update(name="Someone Else", email="else@example.com", address="Elsewhere", tax_id="NOBODY")
    Merchant.objects.update(
        name="Renamed Ltd",
        email="renamed@example.com",
        address="Elsewhere 1",
        tax_id="RENAMED",
        brand_color="#7A2E8E",
        time_zone="Asia/Tokyo",
        footer="Another footer",
        paper="Letter",
        accepted_assets=[],
        tolerance_e4=50_000,
        late_policy="hold",
    )
    catalogue = Path(settings.NETWORKS_FILE).read_text()
    renamed = folder / "networks.toml"
    renamed.write_text(
        catalogue.replace('symbol = "USDT"', 'symbol = "RENAMED"')
        .replace('name = "Sandbox"', 'name = "Renamed net"')
        .replace('"Tether USD"', '"Other"')
    )
    settings.NETWORKS_FILE = str(renamed)
    assert assets.asset("sandbox:harbour/token:usdt").symbol == "RENAMED"


def page(client: Client, name: str, *args: Any) -> bytes:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200, name
    return TOKEN.sub(b"", b"".join(answer.streaming_content) if answer.streaming else answer.content)


def mails(story: Story) -> list[emails.Letter]:
    """Each mail of the invoice that would still leave now, as it would leave."""
    letters = []
    for delivery in Delivery.objects.filter(channel="email", invoice=story.invoice).order_by("id"):
        with contextlib.suppress(Withheld):
            letters.append(emails.write(delivery, now=story.now))
    return letters


def main_part(html: bytes) -> bytes:
    """The invoice page without the frame around it, which is the merchant's own and does follow its name."""
    found = re.search(rb"<main.*</main>", html, re.DOTALL)
    assert found
    return found.group()


def surfaces(story: Story, member: Client) -> dict[str, Any]:
    invoice = Invoice.objects.get(pk=story.invoice.pk)
    payer = Client()
    return {
        "document": page(payer, "public_invoice", invoice.public_id),
        "checkout": page(payer, "checkout", invoice.public_id),
        "status": page(payer, "checkout_status", invoice.public_id),
        "brand": page(payer, "public_brand", invoice.public_id),
        "printed invoice": pdf.render(invoice, Rendering.Kind.INVOICE),
        "printed receipt": pdf.render(invoice, Rendering.Kind.RECEIPT) if invoice.status == "paid" else b"",
        "desk": main_part(page(member, "invoice", invoice.merchant.slug, invoice.pk)),
        "mails": mails(story),
        "events": list(Event.objects.order_by("id").values_list("kind", "facts")),
    }


@pytest.mark.parametrize(
    "reach", [lambda story: None, lambda story: story.quote(), lambda story: (story.pay(), story.blocks(3))], ids=["open", "quoted", "paid"]
)
def test_renaming_payer_merchant_and_asset_changes_no_byte(
    reach: Callable[[Story], Any],
    merchant: Merchant,
    owner: User,
    client_as: Callable[[User], Client],
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payer = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")
    story = Story(merchant, payer=payer, payer_address="Praça da Alegria 7")
    monkeypatch.setattr(clock, "now", lambda: story.now)
    reach(story)
    fanout.run(story.now)
    member = client_as(owner)
    before = surfaces(story, member)
    rename_everything(settings, tmp_path)
    after = surfaces(story, member)
    assert before["mails"]
    assert {name: after[name] == shown for name, shown in before.items()} == dict.fromkeys(before, True)
