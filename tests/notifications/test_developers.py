"""The Developers pages, over HTTP: endpoints, their secrets, the keys, and how to check a signature."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from merchants import clock, secrets
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import applications, endpoint_rows, endpoints, event_types, formats
from tests.factories import NOW, PASSWORD, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/m/harbour-pine/developers/"
URL = "https://erp.harbourpine.example/hooks"
ADD = {"url": URL, "description": "Bookkeeping", "format": "standard", "which": "all"}


def has_just_signed_in(client: Client) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


@pytest.fixture
def fresh_owner(client_as: SignIn, merchant: Merchant, owner: User) -> Client:
    client = client_as(owner)
    has_just_signed_in(client)
    return client


def read(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def of(endpoint: Endpoint, verb: str = "") -> str:
    return f"{PAGE}endpoints/{endpoint.pk}/" + (f"{verb}/" if verb else "")


# --- adding ---------------------------------------------------------------------------------------------------------
def test_a_new_endpoint_brings_a_secret_that_is_shown_once(fresh_owner: Client, merchant: Merchant) -> None:
    answer = fresh_owner.post(f"{PAGE}endpoints/add/", ADD)
    found = Endpoint.objects.get(merchant=merchant)
    secret = secrets.decrypt(found.secret)

    assert (answer.status_code, answer["location"]) == (302, of(found))
    assert (found.url, found.description, found.format, found.kinds, found.is_enabled) == (URL, "Bookkeeping", "standard", [], True)
    assert secret[:6] == "whsec_"
    assert secret not in str(dict(fresh_owner.session))  # not readable between the two pages either
    assert read(fresh_owner, of(found)).count(secret) == 2  # the text and its copy button
    assert secret not in read(fresh_owner, of(found))
    assert "no-store" in fresh_owner.get(of(found))["cache-control"]
    assert secret not in str(dict(fresh_owner.session))


def test_a_secret_waits_for_the_page_of_its_own_endpoint(fresh_owner: Client, endpoint: Endpoint) -> None:
    fresh_owner.post(f"{PAGE}endpoints/add/", ADD)
    made = Endpoint.objects.latest("pk")

    assert "It is shown this once." not in read(fresh_owner, of(endpoint))
    assert "It is shown this once." in read(fresh_owner, of(made))


def test_only_the_ticked_types_go_to_it(fresh_owner: Client, merchant: Merchant) -> None:
    fresh_owner.post(f"{PAGE}endpoints/add/", ADD | {"which": "chosen", "kinds": ["refund.sent", "invoice.paid"]})
    found = Endpoint.objects.get()

    assert formats.kinds_of(found) == ("invoice.paid", "refund.sent")
    assert "2 types of event" in read(fresh_owner)
    form = read(fresh_owner, of(found, "change"))
    assert 'value="invoice.paid" checked' in form
    assert 'value="invoice.voided" checked' not in form


def test_a_choice_of_no_type_at_all_is_answered_beside_the_boxes(fresh_owner: Client, merchant: Merchant) -> None:
    answer = fresh_owner.post(f"{PAGE}endpoints/add/", ADD | {"which": "chosen"})

    assert answer.status_code == 422
    assert "Choose at least one type, or let it get all." in answer.content.decode()
    assert Endpoint.objects.count() == 0


def test_a_ccpayment_endpoint_gets_their_two_webhooks_whatever_is_ticked(fresh_owner: Client, merchant: Merchant) -> None:
    fresh_owner.post(f"{PAGE}endpoints/add/", ADD | {"format": "ccpayment", "which": "chosen", "kinds": ["invoice.issued"]})
    found = Endpoint.objects.get()

    assert (found.format, found.kinds) == ("ccpayment", [])
    html = read(fresh_owner, of(found))
    assert "refund.confirmed" in html
    assert "Your receiver also needs the App ID:" in html
    assert "Types of event</h2>" not in read(fresh_owner, of(found, "change"))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Write the address that we post to."),
        ("http://erp.harbourpine.example/", "The address must begin with https://"),
        ("https://10.0.0.1/", "10.0.0.1 is inside a private network."),
        ("https://user:pass@example.com/", "Leave the name and password out of the address"),
        ("nonsense", "This is not a web address."),
        ("javascript:alert(1)", "This is not a web address."),
    ],
)
def test_an_address_that_will_not_do_is_answered_beside_the_field(fresh_owner: Client, endpoint: Endpoint, url: str, sentence: str) -> None:
    before = endpoint.url
    for path in (f"{PAGE}endpoints/add/", of(endpoint, "change")):
        answer = fresh_owner.post(path, ADD | {"url": url})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    assert list(Endpoint.objects.values_list("url", flat=True)) == [before]


def test_the_eleventh_is_refused_in_a_sentence(fresh_owner: Client, merchant: Merchant, owner: User) -> None:
    for number in range(10):
        endpoints.add(merchant, url=f"{URL}/{number}", by=owner, now=NOW)
    answer = fresh_owner.post(f"{PAGE}endpoints/add/", ADD)

    assert answer.status_code == 422
    assert "More than 10 endpoints cannot be added." in answer.content.decode()
    html = read(fresh_owner)
    assert "10 endpoints, the most there can be." in html
    assert "Add an endpoint" not in html


def test_without_a_fresh_sign_in_nothing_is_added_and_what_was_typed_is_kept(client_as: SignIn, merchant: Merchant, owner: User) -> None:
    client, path = client_as(owner), f"{PAGE}endpoints/add/"
    answer = client.post(path, ADD)

    assert (answer.status_code, answer["location"]) == (
        302,
        f"{reverse('account_reauthenticate')}?next=%2Fm%2Fharbour-pine%2Fdevelopers%2Fendpoints%2Fadd%2F",
    )
    assert Endpoint.objects.count() == 0
    back = client.post(answer["location"], {"password": PASSWORD})
    html = read(client, back["location"])
    assert f'value="{URL}"' in html
    assert 'value="Bookkeeping"' in html


# --- one endpoint ---------------------------------------------------------------------------------------------------
def test_another_address_keeps_secret_and_format(fresh_owner: Client, endpoint_and_secret: Any) -> None:
    endpoint, old = endpoint_and_secret
    answer = fresh_owner.post(of(endpoint, "change"), ADD | {"format": "ccpayment"}, follow=True)
    found = Endpoint.objects.get()

    assert (found.pk, found.url, found.description, found.format) == (endpoint.pk, URL, "Bookkeeping", "standard")
    assert secrets.decrypt(found.secret) == old
    assert old not in answer.content.decode()
    again = fresh_owner.post(of(endpoint, "change"), ADD, follow=True)
    assert "Nothing was changed." in again.content.decode()
    assert Event.objects.filter(kind="endpoint.changed").count() == 1


def test_a_new_secret_is_asked_for_first_and_shown_once(fresh_owner: Client, endpoint_and_secret: Any) -> None:
    endpoint, old = endpoint_and_secret
    assert "goes on signing beside it for 24 hours" in read(fresh_owner, of(endpoint, "secret"))
    assert secrets.decrypt(Endpoint.objects.get().secret) == old
    fresh_owner.post(of(endpoint, "secret"))
    new = secrets.decrypt(Endpoint.objects.get().secret)

    assert new != old
    assert new in read(fresh_owner, of(endpoint))
    assert new not in read(fresh_owner, of(endpoint))


def test_how_long_the_secrets_before_it_sign_is_said(fresh_owner: Client, endpoint: Endpoint, owner: User) -> None:
    now = clock.now()
    endpoints.rotate_secret(endpoint, by=owner, now=now)
    assert "The one before it signs beside it until" in read(fresh_owner, of(endpoint))
    endpoints.rotate_secret(endpoint, by=owner, now=now)
    assert "The 2 before it sign beside it for a day each, the last until" in read(fresh_owner, of(endpoint))


def test_a_format_with_room_for_one_signature_says_that_the_old_secret_ends(fresh_owner: Client, merchant: Merchant, owner: User) -> None:
    found, _secret = endpoints.add(merchant, url=URL, format="ccpayment", by=owner, now=NOW)

    assert "this format has room for one signature" in read(fresh_owner, of(found, "secret"))


def test_it_is_paused_and_goes_on(fresh_owner: Client, endpoint: Endpoint) -> None:
    assert "Paused. What is made for it waits" in fresh_owner.post(of(endpoint, "pause"), follow=True).content.decode()
    assert Endpoint.objects.get().paused_at is not None
    html = read(fresh_owner, of(endpoint))
    assert "It is paused." in html
    assert "It was paused already." in fresh_owner.post(of(endpoint, "pause"), follow=True).content.decode()
    assert "It goes on." in fresh_owner.post(of(endpoint, "resume"), follow=True).content.decode()
    assert Endpoint.objects.get().paused_at is None


def test_switched_off_it_misses_and_switched_on_it_says_how_much_it_catches_up(fresh_owner: Client, endpoint: Endpoint, merchant: Merchant) -> None:
    fresh_owner.post(of(endpoint, "disable"))
    assert Endpoint.objects.get().is_enabled is False
    for _number in range(2):
        publish(make_draft(merchant))
    fanout.run(NOW)
    assert Delivery.objects.filter(channel="webhook").count() == 0

    html = read(fresh_owner, of(endpoint))
    assert "Switched off on" in html
    assert "2 events that it missed go out at once" in read(fresh_owner, of(endpoint, "enable"))
    answer = fresh_owner.post(of(endpoint, "enable"), follow=True)
    assert "Switched on. 2 events that it missed go out now." in answer.content.decode()
    assert Delivery.objects.filter(channel="webhook", status="queued").count() == 2


def test_one_that_was_switched_off_by_itself_says_why(fresh_owner: Client, endpoint: Endpoint) -> None:
    endpoints.disable(endpoint, reason="It answered 410 Gone.", now=NOW)

    assert "Switched off by itself" in read(fresh_owner)
    for path in (of(endpoint), of(endpoint, "enable")):
        assert "It answered 410 Gone." in read(fresh_owner, path)


def test_a_removed_one_is_gone_and_what_was_sent_to_it_stays(fresh_owner: Client, endpoint: Endpoint, merchant: Merchant) -> None:
    publish(make_draft(merchant))
    fanout.run(NOW)
    assert "Remove it?" in read(fresh_owner, of(endpoint, "remove"))
    assert Endpoint.objects.get().removed_at is None
    answer = fresh_owner.post(of(endpoint, "remove"), follow=True)

    assert answer.redirect_chain == [(PAGE, 302)]
    assert "No endpoint yet" in answer.content.decode()
    assert fresh_owner.get(of(endpoint)).status_code == 404
    listed = read(fresh_owner, f"{PAGE}deliveries/")
    assert "invoice.issued" in listed
    assert "Not sent" in listed


@pytest.mark.parametrize("verb", ["change", "secret", "pause", "resume", "disable", "enable", "remove"])
def test_what_an_owner_does_needs_a_fresh_sign_in(client_as: SignIn, owner: User, endpoint: Endpoint, verb: str) -> None:
    before = Endpoint.objects.values().get()
    answer = client_as(owner).post(of(endpoint, verb), ADD)

    assert answer["location"].startswith(reverse("account_reauthenticate"))
    assert Endpoint.objects.values().get() == before


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_only_an_owner_changes_an_endpoint(request: pytest.FixtureRequest, client_as: SignIn, endpoint: Endpoint, role: str) -> None:
    client = client_as(request.getfixturevalue(role))
    has_just_signed_in(client)
    before = Endpoint.objects.values().get()

    for path in (f"{PAGE}endpoints/add/", *(of(endpoint, verb) for verb in ("change", "secret", "pause", "disable", "remove"))):
        assert client.post(path, ADD).status_code == 403
    assert Endpoint.objects.values().get() == before
    html = read(client) + read(client, of(endpoint))
    assert endpoint.url in html
    for word in ("Make a new secret", "Add an endpoint", "Remove…", "Switch off…", "Pause"):
        assert word not in html


def test_another_merchants_endpoint_is_not_there(client_as: SignIn, endpoint: Endpoint) -> None:
    stranger = make_merchant(slug="elsewhere").members.get()
    client = client_as(stranger)
    has_just_signed_in(client)

    assert client.get(of(endpoint)).status_code == 404
    for verb in ("change", "secret", "enable", "remove", "test", "resend-range"):
        assert client.get(f"/m/elsewhere/developers/endpoints/{endpoint.pk}/{verb}/").status_code == 404


# --- how it is doing ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "state", "words"),
    [
        ({}, "healthy", ["Healthy"]),
        ({"failures": 2, "failing_since": NOW - timedelta(hours=1)}, "failing", ["Failing since 17 Nov 2026, 09:00", "switched off"]),
        (
            {"failures": 6, "failing_since": NOW - timedelta(hours=1), "blocked_until": NOW + timedelta(minutes=2)},
            "blocked",
            ["Failing since 17 Nov 2026, 09:00", "left alone until 10:02:00"],
        ),
        ({"failures": 6, "failing_since": NOW - timedelta(hours=1), "blocked_until": NOW}, "failing", ["Failing since"]),
        ({"paused_at": NOW - timedelta(days=1), "failing_since": NOW}, "paused", ["Paused", "since 16 Nov 2026, 10:00"]),
        ({"is_enabled": False, "paused_at": NOW}, "off", ["Off"]),
    ],
)
def test_how_it_is_doing_is_said_in_words(
    client_as: SignIn, viewer: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], state: str, words: list[str]
) -> None:
    Endpoint.objects.update(**columns)
    endpoint.refresh_from_db()
    monkeypatch.setattr(clock, "now", lambda: NOW)

    assert endpoint_rows.state_of(endpoint, now=NOW) == state
    client = client_as(viewer)
    html = read(client) + read(client, of(endpoint))
    for word in words:
        assert word in html


def test_the_list_asks_as_often_at_three_endpoints_as_at_one(fresh_owner: Client, endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            read(fresh_owner)
        return len(seen)

    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    read(fresh_owner)
    one = queries()
    for number in range(2):
        more, _secret = endpoints.add(merchant, url=f"{URL}/{number}", by=owner, now=NOW)
        endpoints.disable(more, reason="", by=owner, now=NOW)
    assert queries() == one


# --- keys, types, code ----------------------------------------------------------------------------------------------
def test_the_api_secret_is_made_by_an_owner_and_shown_once(fresh_owner: Client, merchant: Merchant) -> None:
    app_id = applications.application(merchant).app_id
    assert app_id in read(fresh_owner, f"{PAGE}keys/")
    assert "opens nothing any more" not in read(fresh_owner, f"{PAGE}api-secret/")
    fresh_owner.post(f"{PAGE}api-secret/")
    secret = secrets.decrypt(applications.application(merchant).secret)

    assert applications.check_api(app_id, secret) == merchant
    assert read(fresh_owner, f"{PAGE}keys/").count(secret) == 2
    assert secret not in read(fresh_owner, f"{PAGE}keys/")
    assert "opens nothing any more" in read(fresh_owner, f"{PAGE}api-secret/")


def test_a_manager_sees_the_app_id_and_makes_no_secret(client_as: SignIn, manager: User, merchant: Merchant) -> None:
    client = client_as(manager)
    assert "comes with the first endpoint" in read(client, f"{PAGE}keys/")
    app_id = applications.application(merchant).app_id
    html = read(client, f"{PAGE}keys/")

    assert app_id in html
    assert "An owner can make one." in html
    assert client.post(f"{PAGE}api-secret/").status_code == 403
    assert applications.application(merchant).secret == ""


@pytest.mark.parametrize(("language", "file"), [("python", "verify.py"), ("node", "verify.mjs"), ("php", "verify.php"), ("go", "verify.go")])
def test_the_code_on_the_page_is_the_tested_file(client_as: SignIn, viewer: User, language: str, file: str) -> None:
    response = client_as(viewer).get(f"{PAGE}verify/", {"in": language})

    assert response.context["code"] == (Path(settings.BASE_DIR) / "docs" / "verify" / file).read_text()
    assert "check" in response.content.decode().lower()
    assert client_as(viewer).get(f"{PAGE}verify/", {"in": "cobol"}).status_code == 404


def test_every_type_that_goes_out_has_its_words_and_stands_on_the_page(client_as: SignIn, viewer: User) -> None:
    kinds = formats.WIRES["standard"].kinds()
    listed = [found.kind for group in event_types.groups() for found in group.types]
    assert sorted(listed) == sorted(kinds)
    assert [kind for kind in kinds if not event_types.WORDS.get(kind)] == []
    assert [kind for kind in event_types.WORDS if kind not in kinds] == []
    html = read(client_as(viewer))
    assert [kind for kind in kinds if kind not in html] == []
