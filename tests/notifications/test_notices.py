"""What a business may switch off, from its settings and from the mail itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from invoicing.models import Invoice
from merchants import profile
from merchants.models import Event, Merchant, User
from notifications import courier, fanout, plans
from notifications.mail import emails, unsubscribing
from notifications.models import Delivery
from tests.factories import NOW, make_merchant
from tests.notifications.conftest import take

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def notice_link(merchant: Merchant) -> str:
    return unsubscribing.link(merchant.pk, "paid").removeprefix("http://testserver")


def off(merchant: Merchant) -> list[str]:
    merchant.refresh_from_db()
    return list(merchant.notices_off)


def test_only_what_needs_no_hand_can_be_switched_off() -> None:
    optional = {mail.template for plan in plans.PLANS.values() for mail in plan.mails if mail.is_optional}

    assert optional == {"paid", "seen"}


def test_a_notice_carries_the_headers_of_one_click_unsubscribing_and_no_other_mail_does(invoice: Invoice) -> None:
    take(invoice, 428040)
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    told = {Delivery.objects.get(message_id=message.extra_headers["Message-ID"]).template: message for message in mail.outbox}
    url = unsubscribing.link(invoice.merchant_id, "paid")

    assert set(told) == {"receipt", "paid"}
    assert told["paid"].extra_headers["List-Unsubscribe"] == f"<{url}>"
    assert told["paid"].extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"Switch these notices off: {url}\n" in told["paid"].body
    assert "List-Unsubscribe" not in told["receipt"].extra_headers
    assert "unsubscribe" not in told["receipt"].body


def test_looking_at_the_link_changes_nothing_and_pressing_its_button_does(client: Client, merchant: Merchant, notice_link: str) -> None:
    seen = client.get(notice_link)
    assert (seen.status_code, off(merchant)) == (200, ["seen"])
    assert "Switch it off" in seen.content.decode()

    pressed = client.post(notice_link)
    assert (pressed.status_code, off(merchant)) == (200, ["paid", "seen"])
    assert "This notice is off" in pressed.content.decode()
    event = Event.objects.get(kind="merchant.changed")
    assert (event.actor, event.facts) == (None, {"fields": ["notices_off"], "notices_off": ["paid", "seen"]})


def test_a_mail_program_presses_it_without_a_cookie_and_twice_is_once(merchant: Merchant, notice_link: str) -> None:
    program = Client(enforce_csrf_checks=True)

    assert [program.post(notice_link, ONE_CLICK).status_code for _press in range(2)] == [200, 200]
    assert off(merchant) == ["paid", "seen"]
    assert Event.objects.filter(kind="merchant.changed").count() == 1


def test_a_link_switches_off_its_own_notice_of_its_own_business_alone(client: Client, merchant: Merchant, notice_link: str) -> None:
    other = make_merchant(slug="secret-orchard")
    client.post(notice_link)

    assert off(other) == ["seen"]


def test_a_link_that_was_changed_switches_nothing_off(client: Client, merchant: Merchant, notice_link: str) -> None:
    spoilt = [notice_link.replace("/unsubscribe/", "/unsubscribe/x"), notice_link[:-2] + "/", reverse("unsubscribe", args=["nonsense"])]

    assert [client.post(url).status_code for url in spoilt] == [404, 404, 404]
    assert off(merchant) == ["seen"]


def test_no_link_switches_off_what_is_no_notice(client: Client, merchant: Merchant) -> None:
    assert client.post(unsubscribing.link(merchant.pk, "late").removeprefix("http://testserver")).status_code == 404
    assert off(merchant) == ["seen"]
    with pytest.raises(KeyError):
        profile.set_notices(merchant, wanted={"late": False}, by=None, now=NOW)


def test_a_notice_that_is_off_is_not_made(invoice: Invoice) -> None:
    profile.set_notices(invoice.merchant, wanted={"paid": False}, by=None, now=NOW)
    take(invoice, 428040)
    fanout.run(NOW)

    assert set(Delivery.objects.values_list("template", flat=True)) == {"issued", "receipt"}


@pytest.mark.parametrize(
    ("ticked", "left_off"), [({}, ["paid", "seen"]), ({"seen": "on"}, ["paid"]), ({"paid": "on", "seen": "on"}, []), ({"paid": "on"}, ["seen"])]
)
def test_a_manager_chooses_in_the_settings(
    client_as: Callable[[User], Client], merchant: Merchant, manager: User, ticked: dict[str, Any], left_off: list[str]
) -> None:
    desk = client_as(manager)
    saved = desk.post(reverse("settings_notices", args=[merchant.slug]), ticked, follow=True)

    assert saved.redirect_chain == [(reverse("settings_mail", args=[merchant.slug]), 302)]
    assert off(merchant) == left_off
    assert "They go to studio@harbourpine.example." in saved.content.decode()


def test_an_event_of_the_settings_says_who_and_mails_nobody(merchant: Merchant, owner: User) -> None:
    assert profile.set_notices(merchant, wanted={"seen": True}, by=owner, now=NOW)
    assert not profile.set_notices(merchant, wanted={"seen": True}, by=owner, now=NOW)
    fanout.run(NOW)

    assert Event.objects.get().actor_name == "Inês Matos"
    assert not Delivery.objects.exists()


def test_every_mail_that_is_no_notice_has_no_way_to_switch_it_off(invoice: Invoice) -> None:
    fanout.run(NOW)

    assert emails.write(Delivery.objects.get(template="issued"), now=NOW).unsubscribe_url == ""
