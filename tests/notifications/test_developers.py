"""The Developers page, over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.models import Invoice
from merchants import clock, secrets
from merchants.models import Event, Merchant, User
from notifications import courier, endpoints, fanout, outbox
from notifications.models import Delivery, Endpoint
from notifications.transports import Outcome
from tests.factories import NOW, PASSWORD, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/m/harbour-pine/developers/"
URL = "https://erp.harbourpine.example/hooks"


def has_just_signed_in(client: Client) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


@pytest.fixture
def fresh_owner(client_as: SignIn, merchant: Merchant, owner: User) -> Client:
    client = client_as(owner)
    has_just_signed_in(client)
    return client


def page(client: Client, **query: str) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_first_address_brings_app_id_and_a_secret_that_is_shown_once(fresh_owner: Client, merchant: Merchant) -> None:
    answer = fresh_owner.post(f"{PAGE}endpoint/", {"url": URL})
    assert (answer.status_code, answer["location"]) == (302, PAGE)
    found = Endpoint.objects.get(merchant=merchant)
    secret = secrets.decrypt(found.secret)

    assert (found.url, found.is_enabled, secret[:6]) == (URL, True, "whsec_")
    assert secret not in found.secret
    first, second = page(fresh_owner), page(fresh_owner)
    assert first.count(secret) == 2  # the text and its copy button
    assert secret not in second
    assert endpoints.application(merchant).app_id in second
    assert "no-store" in fresh_owner.get(PAGE)["cache-control"]
    assert secret not in str(dict(fresh_owner.session))


def test_the_secret_does_not_lie_readable_in_the_session_between_the_two_pages(fresh_owner: Client, merchant: Merchant) -> None:
    fresh_owner.post(f"{PAGE}endpoint/", {"url": URL})

    assert secrets.decrypt(Endpoint.objects.get().secret) not in str(dict(fresh_owner.session))


def test_a_new_secret_replaces_the_old_one_and_is_shown_once(fresh_owner: Client, endpoint_and_secret: Any) -> None:
    endpoint, old = endpoint_and_secret
    fresh_owner.post(f"{PAGE}secret/")
    new = secrets.decrypt(Endpoint.objects.get(pk=endpoint.pk).secret)

    assert new != old
    assert new in page(fresh_owner)
    assert new not in page(fresh_owner)
    assert Event.objects.filter(kind="endpoint.secret_rotated", subject_id=endpoint.pk).count() == 1


def test_the_old_secret_signs_beside_the_new_one_for_a_day(owner: User, endpoint_and_secret: Any) -> None:
    endpoint, old = endpoint_and_secret
    new = endpoints.rotate_secret(endpoint, by=owner, now=NOW)
    endpoint.refresh_from_db()
    assert endpoints.keys_of(endpoint, now=NOW + timedelta(hours=24, seconds=-1)) == [new, old]
    assert endpoints.keys_of(endpoint, now=NOW + timedelta(hours=24)) == [new]
    assert old not in endpoint.old_secret


def test_another_address_keeps_app_id_and_secret(fresh_owner: Client, endpoint_and_secret: Any) -> None:
    endpoint, old = endpoint_and_secret
    fresh_owner.post(f"{PAGE}endpoint/", {"url": URL})
    now = Endpoint.objects.get()

    assert (now.pk, now.url, secrets.decrypt(now.secret)) == (endpoint.pk, URL, old)
    assert old not in page(fresh_owner)


def test_an_empty_address_switches_webhooks_off_and_saving_one_on_again(fresh_owner: Client, endpoint: Endpoint) -> None:
    fresh_owner.post(f"{PAGE}endpoint/", {"url": ""})
    assert Endpoint.objects.get().is_enabled is False
    assert "was switched off on" in page(fresh_owner)
    fresh_owner.post(f"{PAGE}endpoint/", {"url": URL})
    assert Endpoint.objects.get().is_enabled is True


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://erp.harbourpine.example/", "The address must begin with https://"),
        ("https://10.0.0.1/", "10.0.0.1 is inside a private network."),
        ("https://user:pass@example.com/", "Leave the name and password out of the address"),
        ("nonsense", "This is not a web address."),
        ("javascript:alert(1)", "This is not a web address."),
    ],
)
def test_an_address_that_will_not_do_is_answered_beside_the_field(fresh_owner: Client, merchant: Merchant, url: str, sentence: str) -> None:
    answer = fresh_owner.post(f"{PAGE}endpoint/", {"url": url})

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Endpoint.objects.count() == 0


def test_without_a_fresh_sign_in_nothing_changes_and_what_was_typed_is_kept(client_as: SignIn, merchant: Merchant, owner: User) -> None:
    client = client_as(owner)
    answer = client.post(f"{PAGE}endpoint/", {"url": URL})

    assert (answer.status_code, answer["location"]) == (302, f"{reverse('account_reauthenticate')}?next=%2Fm%2Fharbour-pine%2Fdevelopers%2F")
    assert Endpoint.objects.count() == 0
    back = client.post(answer["location"], {"password": PASSWORD})
    assert (back.status_code, back["location"]) == (302, PAGE)
    assert f'value="{URL}"' in page(client)
    client.post(f"{PAGE}endpoint/", {"url": URL})
    assert Endpoint.objects.get().url == URL


def test_a_new_secret_needs_a_fresh_sign_in_too(client_as: SignIn, owner: User, endpoint_and_secret: Any) -> None:
    answer = client_as(owner).post(f"{PAGE}secret/")

    assert answer["location"].startswith(reverse("account_reauthenticate"))
    assert secrets.decrypt(Endpoint.objects.get().secret) == endpoint_and_secret[1]


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_only_an_owner_changes_the_endpoint(request: pytest.FixtureRequest, client_as: SignIn, endpoint: Endpoint, role: str) -> None:
    client = client_as(request.getfixturevalue(role))
    has_just_signed_in(client)

    assert client.post(f"{PAGE}endpoint/", {"url": URL}).status_code == 403
    assert client.post(f"{PAGE}secret/").status_code == 403
    html = page(client)
    assert endpoint.url in html
    assert "Make a new secret" not in html
    assert "Save address" not in html


def test_a_stranger_finds_nothing(client_as: SignIn, endpoint: Endpoint, invoice: Invoice) -> None:
    fanout.run(NOW)
    delivery = Delivery.objects.first()
    assert delivery is not None
    stranger = make_merchant(slug="elsewhere").members.get()
    client = client_as(stranger)

    for path in (PAGE, f"{PAGE}deliveries/{delivery.pk}/", f"/m/elsewhere/developers/deliveries/{delivery.pk}/"):
        assert client.get(path).status_code == 404
    assert client.post(f"/m/elsewhere/developers/deliveries/{delivery.pk}/again/").status_code == 404
    assert Delivery.objects.filter(invoice=invoice).count() == 2


@pytest.fixture
def refused(endpoint: Endpoint, invoice: Invoice) -> Delivery:
    """A webhook that was answered 503 once."""
    fanout.run(NOW)
    [claimed] = outbox.claim("webhook", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=Outcome(False, code="503", answer="upstream is <restarting>"), duration_ms=212, now=NOW)
    return claimed


def test_the_list_says_what_was_sent_what_it_answered_and_when_the_next_try_is(fresh_owner: Client, refused: Delivery) -> None:
    html = page(fresh_owner)

    assert "invoice.issued" in html
    assert "Try 2 at 10:00:0" in html
    assert "503 in 212 ms" in html
    assert "upstream is &lt;restarting&gt;" in html
    assert "next; then in 5 min, 30 min, 2 h<" in html
    assert f"webhook-id: {refused.webhook_id}" in html
    assert "&quot;number&quot;: &quot;INV-000001&quot;" in html


@pytest.mark.parametrize(("state", "shown"), [("", True), ("waiting", True), ("delivered", False), ("failed", False)])
def test_the_filters(fresh_owner: Client, refused: Delivery, state: str, shown: bool) -> None:
    assert (f"webhook-id: {refused.webhook_id}" in page(fresh_owner, state=state)) is shown
    assert fresh_owner.get(PAGE, {"state": "nonsense"}).status_code == 404


def test_a_delivery_has_a_page_of_its_own_an_email_too(client_as: SignIn, viewer: User, issued_mail: Delivery) -> None:
    html = client_as(viewer).get(f"{PAGE}deliveries/{issued_mail.pk}/").content.decode()

    assert "Email to ana@duarte.example" in html
    assert "Send now" not in html  # a viewer looks
    assert "7Qm2xVb9tKc4" not in html  # the payer's link stays the payer's


def test_send_now_brings_a_waiting_one_forward_and_send_again_makes_a_new_message(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    client = client_as(manager)
    again = f"{PAGE}deliveries/{issued_mail.pk}/again/"
    assert client.get(again).status_code == 405
    assert client.post(again)["location"] == f"{PAGE}deliveries/{issued_mail.pk}/"
    assert Delivery.objects.count() == 1

    Delivery.objects.filter(pk=issued_mail.pk).update(status="failed", reason="550 No such person")
    answer = client.post(again, follow=True)
    new = Delivery.objects.latest("pk")
    assert Delivery.objects.count() == 2
    assert answer.redirect_chain == [(f"{PAGE}deliveries/{new.pk}/", 302)]
    assert "It goes out at once." in answer.content.decode()
    assert (new.event.kind, new.event.actor) == ("delivery.resent", manager)


def test_a_refusal_is_a_sentence_on_the_page(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    client = client_as(manager)
    Delivery.objects.filter(pk=issued_mail.pk).update(status="failed")
    client.post(f"{PAGE}deliveries/{issued_mail.pk}/again/")

    assert "One is already on its way." in client.post(f"{PAGE}deliveries/{issued_mail.pk}/again/", follow=True).content.decode()


def test_a_mail_past_its_due_time_is_sent_anyway_by_a_members_word(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    Invoice.objects.filter(pk=issued_mail.invoice_id).update(due_at=NOW.replace(year=2020))
    outbox.cancel(issued_mail, reason="The due time passed before this could be sent.", now=NOW, is_held=True)
    client = client_as(manager)
    html = client.get(f"{PAGE}deliveries/{issued_mail.pk}/").content.decode()
    assert "Send anyway" in html
    assert '<input type="hidden" name="force" value="1">' in html
    client.post(f"{PAGE}deliveries/{issued_mail.pk}/again/", {"force": "1"})

    assert Delivery.objects.latest("pk").is_forced is True


def test_a_waiting_mail_past_its_due_time_goes_by_a_members_word_as_the_same_message(
    client_as: SignIn, manager: User, issued_mail: Delivery, mailoutbox: list[Any]
) -> None:
    Invoice.objects.filter(pk=issued_mail.invoice_id).update(due_at=NOW.replace(year=2020))
    client = client_as(manager)
    assert "Send now" in client.get(f"{PAGE}deliveries/{issued_mail.pk}/").content.decode()
    answer = client.post(f"{PAGE}deliveries/{issued_mail.pk}/again/", {"force": "1"}, follow=True)
    assert "It goes out at once." in answer.content.decode()
    courier.round_of("email", now=clock.now())
    assert [Delivery.objects.get().status, len(mailoutbox)] == ["sent", 1]


def test_the_list_asks_as_often_at_three_rows_as_at_one(fresh_owner: Client, endpoint: Endpoint, merchant: Merchant) -> None:
    def queries(invoices: int) -> int:
        for _number in range(invoices):
            publish(make_draft(merchant))
        fanout.run(NOW)
        for delivery in outbox.claim("webhook", now=NOW, limit=10):
            outbox.finish(delivery, lease=1, outcome=Outcome(True, code="204"), now=NOW)
        with CaptureQueriesContext(connection) as seen:
            page(fresh_owner)
        return len(seen)

    page(fresh_owner)
    assert queries(1) == queries(2)


def test_two_first_addresses_at_once_make_one_endpoint(merchant: Merchant, owner: User) -> None:
    first, plain = endpoints.save(merchant, url=URL, by=owner, now=NOW)
    second, none = endpoints.save(merchant, url="https://other.example/", by=owner, now=NOW)

    assert (first.pk, plain is not None, none, second.url) == (second.pk, True, None, "https://other.example/")
    assert Endpoint.objects.count() == 1
