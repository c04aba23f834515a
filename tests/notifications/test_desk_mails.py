"""Mails about schedules and about the people of a business, word for word, and who gets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from invoicing import schedules
from invoicing.models import Schedule
from merchants import profile, team
from merchants.events import record
from merchants.models import Event, Invitation, Membership, Merchant, User
from notifications import courier, fanout, outbox
from notifications.mail import emails
from notifications.models import Delivery, Endpoint
from notifications.transports import Withheld
from notifications.webhooks import endpoints
from payments import wallets
from tests.factories import NOW, add_member, make_merchant, make_schedule, start
from tests.notifications.test_emails import links, words

pytestmark = pytest.mark.django_db
FIRST = datetime(2026, 11, 30, 9, tzinfo=UTC)
TOO_LATE = datetime(2027, 2, 10, 9, tzinfo=UTC)  # for November (due 14 December) and December, in time for January
FOOT = "--\nQuittance sends this to the business email of Harbour & Pine.\nThis is a test. No real money moves.\n"


@pytest.fixture
def schedule(merchant: Merchant) -> Schedule:
    """Every last day of the month at 09:00 in Lisbon, from 30 November 2026 on."""
    return start(make_schedule(merchant))


@pytest.fixture
def manager(merchant: Merchant) -> User:
    return add_member(merchant, "manager", email="rui@harbourpine.example")


def page(schedule: Schedule) -> str:
    return f"http://testserver/m/harbour-pine/recurring/{schedule.pk}/"


def letter(kind: str, now: datetime = NOW) -> emails.Letter:
    fanout.run(now)
    return emails.write(Delivery.objects.filter(template=kind).latest("id"), now=now)


def withheld(kind: str, now: datetime = NOW) -> str:
    with pytest.raises(Withheld) as told:
        letter(kind, now)
    return told.value.reason


def told(event: Event) -> list[tuple[str, str, str]]:
    fanout.run(NOW)
    return sorted(event.deliveries.values_list("channel", "template", "recipient"))


def hold(schedule: Schedule) -> None:
    """Its first date comes while nothing can be paid with."""
    Merchant.objects.update(accepted_assets=[])
    schedules.occur(schedule.pk, now=FIRST)


# --- schedules --------------------------------------------------------------------------------------------------
def test_missed_dates_are_told_in_one_mail_with_what_can_be_done(schedule: Schedule) -> None:
    schedules.occur(schedule.pk, now=TOO_LATE)
    found = letter("schedule_missed")

    assert found.subject == "Not sent: 2 invoices for Marlow Yachts Ltd"
    assert (
        found.text
        == f"""\
2 invoices to Marlow Yachts Ltd were not sent.
Their due times had passed before they could be sent; nothing is sent late.

On the page of the schedule each missed date can still be sent, then due 14 days later, or skipped. No coming date has moved.

Open the schedule: {page(schedule)}

Planned, Lisbon time:
Retainer, November: 30 Nov 2026, 09:00
Retainer, December: 31 Dec 2026, 09:00
Each of them: 2,400.00 EUR

{FOOT}"""
    )
    assert links(found.html) == [page(schedule), page(schedule)]
    assert words(found.html) == (
        "Their due times had passed before they could be sent; nothing is sent late."
        " HP Harbour & Pine Recurring This is a test. No real money moves."
        " 2 invoices to Marlow Yachts Ltd were not sent. Their due times had passed before they could be sent; nothing is sent late."
        " On the page of the schedule each missed date can still be sent, then due 14 days later, or skipped. No coming date has moved."
        f" Open the schedule Or open this link: {page(schedule)}"
        " Not sent Planned, Lisbon time Retainer, November 30 Nov 2026, 09:00 Retainer, December 31 Dec 2026, 09:00 Each of them, EUR 2,400.00"
        " Quittance sends this to the business email of Harbour & Pine."
    )


def test_one_missed_date_is_told_by_its_title(schedule: Schedule, owner: User) -> None:
    schedules.occur(schedule.pk, now=TOO_LATE)
    schedules.skip(schedule, 1, by=owner, now=TOO_LATE)
    found = letter("schedule_missed")

    assert found.subject == "Not sent: Retainer, December, for Marlow Yachts Ltd"
    assert found.text.startswith(
        "The invoice to Marlow Yachts Ltd for Retainer, December was not sent.\nIts due time had passed before it could be sent;"
    )
    assert "Retainer, December: 31 Dec 2026, 09:00\nTotal: 2,400.00 EUR\n" in found.text


def test_of_many_missed_dates_twelve_are_listed(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    schedules.occur(schedule.pk, now=datetime(2028, 2, 10, tzinfo=UTC))

    assert letter("schedule_missed").subject == "Not sent: 14 invoices for Marlow Yachts Ltd"
    assert "Retainer, October: 31 Oct 2027, 09:00\nand 2 more, on the page of the schedule\nEach of them" in letter("schedule_missed").text


def test_a_missed_mail_of_a_schedule_stopped_since_offers_no_closed_door(schedule: Schedule, owner: User) -> None:
    schedules.occur(schedule.pk, now=TOO_LATE)
    schedules.stop(schedule, by=owner, now=TOO_LATE)

    assert "The schedule was stopped since. What is still to be paid needs an invoice of its own." in letter("schedule_missed").text


def test_a_missed_mail_is_withheld_when_every_date_has_been_decided(schedule: Schedule, owner: User) -> None:
    schedules.occur(schedule.pk, now=TOO_LATE)
    schedules.skip(schedule, 1, by=owner, now=TOO_LATE)
    schedules.send_now(schedule, 2, by=owner, now=TOO_LATE)

    assert withheld("schedule_missed") == "None of its dates was missed any more when this could be sent."


def test_a_held_date_is_told_with_its_reason_and_until_when_it_waits(schedule: Schedule) -> None:
    hold(schedule)
    found = letter("schedule_held")
    waits = "Once this is mended it goes out by itself, up to its due time, Monday 14 December 2026, 09:00, Lisbon time. After that it is missed."

    assert found.subject == "Held: Retainer, November, for Marlow Yachts Ltd"
    assert (
        found.text
        == f"""\
The invoice to Marlow Yachts Ltd for Retainer, November could not be sent.
Choose at least one token it can be paid with.

{waits}

Open the schedule: {page(schedule)}

Planned, Lisbon time:
Retainer, November: 30 Nov 2026, 09:00
Total: 2,400.00 EUR

{FOOT}"""
    )
    assert links(found.html) == [page(schedule), page(schedule)]
    assert f"could not be sent. Choose at least one token it can be paid with. {waits} Open the schedule" in words(found.html)


def test_a_held_mail_is_withheld_once_the_date_has_gone_out(schedule: Schedule, merchant: Merchant) -> None:
    accepted = merchant.accepted_assets
    hold(schedule)
    Merchant.objects.update(accepted_assets=accepted)
    schedules.run_due(now=FIRST + timedelta(minutes=11))

    assert withheld("schedule_held") == "None of its dates was held any more when this could be sent."


def test_a_schedule_stopped_by_hand_says_who_and_how_many_were_sent(schedule: Schedule, owner: User) -> None:
    schedules.occur(schedule.pk, now=FIRST)
    schedules.stop(schedule, by=owner, now=FIRST)
    found = letter("schedule_ended")

    assert found.subject == "Stopped: Retainer, {month}, for Marlow Yachts Ltd"
    assert (
        found.text
        == f"""\
Inês Matos has stopped the recurring invoice to Marlow Yachts Ltd, Retainer, {{month}}. Nothing more is sent.

Sent: 1 invoice
What was sent stays as it is and can still be paid. To go on, duplicate the schedule.

Open the schedule: {page(schedule)}

{FOOT}"""
    )
    assert "Nothing more is sent. Sent 1 invoice Open the schedule" in words(found.html)
    assert links(found.html) == [page(schedule), page(schedule)]


def test_a_schedule_that_has_come_to_its_end_says_so(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, title="Studio retainer", ends_after=2))
    for date in (FIRST, datetime(2026, 12, 31, 9, tzinfo=UTC)):
        schedules.occur(schedule.pk, now=date)
    found = letter("schedule_ended")

    assert found.subject == "Ended: Studio retainer, for Marlow Yachts Ltd"
    assert found.text.startswith(
        "The recurring invoice to Marlow Yachts Ltd, Studio retainer, has come to its end, as planned. Nothing more is sent.\n\nSent: 2 invoices\n"
    )


@pytest.mark.parametrize(
    ("kind", "mails"),
    [
        ("schedule.published", []),
        ("schedule.paused", []),
        ("schedule.resumed", []),
        ("schedule.missed", [("email", "schedule_missed", "studio@harbourpine.example")]),
        ("schedule.held", [("email", "schedule_held", "studio@harbourpine.example")]),
        ("schedule.stopped", [("email", "schedule_ended", "studio@harbourpine.example")]),
        ("schedule.completed", [("email", "schedule_ended", "studio@harbourpine.example")]),
    ],
)
def test_who_hears_of_a_schedule(endpoint: Endpoint, schedule: Schedule, kind: str, mails: list[Any]) -> None:
    with transaction.atomic():
        schedules.tell(kind, schedule, now=NOW)

    assert told(Event.objects.filter(kind=kind).latest("id")) == [*mails, ("webhook", kind, f"endpoint:{endpoint.pk}")]


@pytest.mark.parametrize("kind", ["schedule.skipped", "schedule.put_back", "schedule.sent", "schedule.edited", "payer.changed", "invoice.archived"])
def test_nobody_is_told_of_what_a_member_does_on_the_desk(endpoint: Endpoint, schedule: Schedule, kind: str) -> None:
    with transaction.atomic():
        schedules.tell(kind, schedule, now=NOW)

    assert told(Event.objects.get(kind=kind)) == []


def test_the_webhook_of_missed_dates_carries_the_schedule_and_the_dates(endpoint: Endpoint, schedule: Schedule) -> None:
    schedules.occur(schedule.pk, now=TOO_LATE)
    fanout.run(NOW)
    data = json.loads(Delivery.objects.get(template="schedule.missed", channel="webhook").payload)["data"]

    assert data == {
        "schedule": {
            "id": schedule.pk,
            "status": "active",
            "title": "Retainer, {month}",
            "currency": "EUR",
            "total": "2400.00",
            "payer": {"name": "Marlow Yachts Ltd", "email": "accounts@marlow.example"},
            "due_after_days": 14,
            "ends_after": None,
            "ends_on": None,
            "next_at": "2026-11-30T09:00:00Z",
        },
        "occurrences": [{"n": 1, "planned_at": "2026-11-30T09:00:00Z"}, {"n": 2, "planned_at": "2026-12-31T09:00:00Z"}],
    }


def test_the_webhook_of_an_invoice_says_which_schedule_made_it(endpoint: Endpoint, schedule: Schedule) -> None:
    schedules.occur(schedule.pk, now=FIRST)
    fanout.run(NOW)
    data = json.loads(Delivery.objects.get(template="invoice.issued").payload)["data"]

    assert set(data) == {"invoice", "origin"}
    assert data["origin"] == {"schedule": schedule.pk, "title": "Retainer, {month}", "k": 1}


# --- an invitation ----------------------------------------------------------------------------------------------
@pytest.fixture
def invitation(merchant: Merchant, owner: User) -> Invitation:
    return team.invite(merchant, email="rui@lopes.example", role="manager", by=owner, now=NOW)


def test_an_invitation_says_who_invites_to_what_as_what_and_until_when(invitation: Invitation) -> None:
    found = letter("invitation")
    join = f"http://testserver/invitation/{team.link_token(invitation)}/"

    assert told(Event.objects.get(kind="member.invited")) == [("email", "invitation", "rui@lopes.example")]
    assert found.subject == "Inês Matos invites you to Harbour & Pine"
    assert (
        found.text
        == f"""\
Inês Matos invites you to work on the invoices of Harbour & Pine in Quittance.
As a manager you write and send invoices, and look after payers, payments and refunds.

Join Harbour & Pine: {join}

The link works until Tuesday 24 November 2026, 10:00, Lisbon time, for rui@lopes.example alone: sign in with that address, or sign up with it.

--
Quittance sends this for Harbour & Pine. Whoever does not want to join need do nothing.
This is a test. No real money moves.
"""
    )
    assert links(found.html) == [join, join]
    assert words(found.html).startswith(
        "As a manager you write and send invoices, and look after payers, payments and refunds. HP Harbour & Pine Invitation"
        " This is a test. No real money moves. Inês Matos invites you to work on the invoices of Harbour & Pine in Quittance."
        " Your role Manager As a manager you write and send invoices, and look after payers, payments and refunds."
        " Join Harbour & Pine Or open this link:"
    )


def test_the_link_of_an_invitation_is_kept_nowhere(invitation: Invitation, mailoutbox: list[Any]) -> None:
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    token = team.link_token(invitation)

    assert token in mailoutbox[0].body
    kept = [str(row) for model in (Event, Delivery) for row in model.objects.values()]
    kept += [str(row) for row in Delivery.objects.get(template="invitation").attempts.values()]
    assert [row for row in kept if token in row or invitation.nonce in row] == []


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("withdraw", "The invitation was withdrawn before this could be sent."),
        ("accept", "The invitation was accepted before this could be sent."),
        ("expire", "The invitation expired before this could be sent."),
    ],
)
def test_an_invitation_that_is_over_is_not_mailed(invitation: Invitation, owner: User, after: str, reason: str) -> None:
    now = NOW
    if after == "withdraw":
        team.withdraw(invitation, by=owner, now=NOW)
    elif after == "accept":
        Invitation.objects.update(accepted_at=NOW)
    else:
        now = NOW + timedelta(days=7)

    assert withheld("invitation", now) == reason


def test_a_renewed_invitation_is_mailed_and_the_mail_before_it_is_not(invitation: Invitation, owner: User) -> None:
    fanout.run(NOW)
    first = Delivery.objects.get(template="invitation")
    renewed = team.renew(invitation, by=owner, now=NOW + timedelta(hours=1))
    fanout.run(NOW)

    with pytest.raises(Withheld, match="A newer invitation has taken its place"):
        emails.write(first, now=NOW)
    assert team.link_token(renewed) in letter("invitation").text


# --- what every owner is told of --------------------------------------------------------------------------------
def owners_mail() -> tuple[str, str]:
    """Subject and first sentence of the latest."""
    found = letter("owners_told")
    return found.subject, found.text.partition("\n")[0]


def test_owners_are_told_of_the_team_in_sentences(merchant: Merchant, owner: User, manager: User) -> None:
    member = Membership.objects.get(user=manager)
    team.change_role(member, role="owner", by=owner, now=NOW)
    assert owners_mail() == ("The team of Harbour & Pine has changed", "Inês Matos changed the role of Manager from manager to owner.")
    team.leave(member, now=NOW)
    assert owners_mail()[1] == "Manager has left the team."
    Membership.objects.create(user=manager, merchant=merchant, role="viewer")
    team.remove(Membership.objects.get(user=manager), by=owner, now=NOW)
    assert owners_mail()[1] == "Inês Matos took Manager out of the team."
    back = team.invite(merchant, email=manager.email, role="manager", by=owner, now=NOW)
    team.accept(back, user=manager, now=NOW)
    assert owners_mail()[1] == "Manager (rui@harbourpine.example) has joined as manager."
    team.hand_over(merchant, to=Membership.objects.get(user=manager), by=owner, stays="manager", now=NOW)
    assert owners_mail()[1] == "Inês Matos handed the business over to Manager, who is an owner now. Inês Matos is a manager now."


def test_owners_are_told_of_the_late_policy_and_of_no_other_setting(merchant: Merchant, owner: User) -> None:
    profile.change(merchant, values={"footer": "VAT PT 1"}, by=owner, now=NOW)
    assert told(Event.objects.get(kind="merchant.changed")) == []
    profile.set_late_policy(merchant, policy="hold", by=owner, now=NOW)
    found = letter("owners_told")

    assert found.subject == "The late policy of Harbour & Pine has changed"
    assert (
        found.text
        == """\
Inês Matos changed what is done with late payments. For invoices issued from now on: hold it for a decision.

Look at the late policy: http://testserver/m/harbour-pine/settings/invoices/

When: Tuesday 17 November 2026, 10:00, Lisbon time
If you know nothing of this, look at it now.

--
Quittance sends this to every owner of Harbour & Pine; it cannot be switched off.
This is a test. No real money moves.
"""
    )
    assert words(found.html) == (
        "Inês Matos changed what is done with late payments. For invoices issued from now on: hold it for a decision."
        " HP Harbour & Pine To the owners This is a test. No real money moves."
        " Inês Matos changed what is done with late payments. For invoices issued from now on: hold it for a decision."
        " Look at the late policy Or open this link: http://testserver/m/harbour-pine/settings/invoices/"
        " Tuesday 17 November 2026, 10:00, Lisbon time If you know nothing of this, look at it now."
        " Quittance sends this to every owner of Harbour & Pine; it cannot be switched off."
    )


def test_owners_are_told_how_quotes_are_priced(merchant: Merchant, owner: User) -> None:
    profile.set_prices(merchant, stable_at_par=True, spread_e4=12_500, by=owner, now=NOW)
    assert owners_mail() == (
        "The prices of Harbour & Pine have changed",
        "Inês Matos changed how quotes are priced. From now on: a stablecoin is one of its currency, and the spread is 1.25 %.",
    )
    assert "Look at the prices: http://testserver/m/harbour-pine/settings/tokens/" in letter("owners_told").text
    profile.set_prices(merchant, stable_at_par=False, spread_e4=0, by=owner, now=NOW)
    assert owners_mail()[1] == ("Inês Matos changed how quotes are priced. From now on: a stablecoin is what the market pays, and the spread is 0 %.")


def test_owners_are_told_above_what_a_refund_needs_a_second_person(merchant: Merchant, owner: User) -> None:
    profile.set_refund_limit(merchant, minor=50_000, currency="EUR", by=owner, now=NOW)
    assert owners_mail() == (
        "The refund limit of Harbour & Pine has changed",
        "Inês Matos changed who approves refunds. From now on: above 500.00 EUR, all refunds of one invoice together, it takes a second person.",
    )
    assert "Look at the refund limit: http://testserver/m/harbour-pine/settings/refunds/" in letter("owners_told").text
    profile.set_refund_limit(merchant, minor=None, currency="EUR", by=owner, now=NOW)
    assert owners_mail()[1] == "Inês Matos changed who approves refunds. From now on: none needs a second person."


def test_the_invitation_of_an_owner_names_all_that_owners_decide_on(merchant: Merchant, owner: User) -> None:
    team.invite(merchant, email="rui@lopes.example", role="owner", by=owner, now=NOW)
    said = "As an owner you decide on everything: wallets, webhooks, the late policy, prices, the refund limit and the team too."
    assert said in letter("invitation").text


def test_owners_are_told_of_webhooks_by_their_host_alone(merchant: Merchant, owner: User) -> None:
    endpoint, _secret = endpoints.add(merchant, url="https://hooks.harbourpine.example/k/9f2", by=owner, now=NOW)
    assert owners_mail() == (
        "The webhooks of Harbour & Pine have changed",
        "Inês Matos added a webhook endpoint at hooks.harbourpine.example.",
    )
    endpoints.change(endpoint, url="https://other.harbourpine.example/k/9f2", description="", kinds=[], by=owner, now=NOW)
    assert owners_mail()[1] == "Inês Matos changed where webhooks go: to other.harbourpine.example."
    endpoints.rotate_secret(endpoint, by=owner, now=NOW)
    assert owners_mail()[1] == "Inês Matos made a new secret for the webhooks to other.harbourpine.example."
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    assert owners_mail()[1] == "Inês Matos switched the webhooks to other.harbourpine.example off."


def test_owners_are_told_where_money_arrives(merchant: Merchant, owner: User) -> None:
    shop = make_merchant(owner, slug="shop", is_test=False, accepted_assets=[])
    second = add_member(shop, "owner", email="second@harbourpine.example")
    add_member(shop, "manager", email="rui@harbourpine.example")
    first, other = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94", "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"
    chains = "Ethereum, Polygon, BNB Chain, Base and Arbitrum"
    wallets.connect_fixed(shop, family="evm", address=first, name="Ledger", by=owner, now=NOW)
    assert owners_mail() == (
        "Where Harbour & Pine receives money has changed",
        f"Inês Matos connected Ledger ({first}). Invoices on {chains} are paid there from now on.",
    )
    assert told(Event.objects.get(kind="wallet.connected")) == [
        ("email", "owners_told", owner.email),
        ("email", "owners_told", second.email),
    ]
    assert "Look at the wallets: http://testserver/m/shop/wallets/" in letter("owners_told").text
    wallet = wallets.connect_fixed(shop, family="evm", address=other, name="Vault", by=owner, now=NOW)
    assert owners_mail()[1] == f"Inês Matos replaced Ledger ({first}) by Vault ({other}). Invoices on {chains} are paid there from now on."
    wallets.retire(wallet, by=None, now=NOW)
    assert owners_mail()[1] == f"The system retired Vault ({other}). Nobody can pay on {chains} any more. Its addresses stay watched."


def test_every_owner_is_told_those_before_and_those_after_each_once(merchant: Merchant, owner: User, manager: User) -> None:
    second = add_member(merchant, "owner", email="second@harbourpine.example")
    team.hand_over(merchant, to=Membership.objects.get(user=manager), by=owner, stays="manager", now=NOW)

    assert told(Event.objects.get(kind="merchant.handed_over")) == [
        ("email", "owners_told", address) for address in sorted([owner.email, second.email, manager.email])
    ]


def test_an_owner_taken_out_hears_of_it(merchant: Merchant, owner: User) -> None:
    second = add_member(merchant, "owner", email="second@harbourpine.example")
    team.remove(Membership.objects.get(user=second), by=owner, now=NOW)

    assert ("email", "owners_told", "second@harbourpine.example") in told(Event.objects.get(kind="member.removed"))


def test_no_webhook_tells_of_the_team(endpoint: Endpoint, merchant: Merchant, owner: User, invitation: Invitation) -> None:
    with transaction.atomic():
        record("member.left", merchant=merchant, subject=merchant, now=NOW, facts={"owners": []})
    fanout.run(NOW)

    assert Delivery.objects.filter(channel="webhook").count() == 0


# --- sent again -------------------------------------------------------------------------------------------------
def test_a_message_sent_again_tells_of_the_first_event(schedule: Schedule, owner: User, manager: User) -> None:
    schedules.stop(schedule, by=manager, now=NOW)
    fanout.run(NOW)
    Delivery.objects.update(status="failed")
    again = outbox.send_again(Delivery.objects.get(), by=owner, now=NOW)
    Delivery.objects.filter(pk=again.pk).update(status="failed")
    third = outbox.send_again(Delivery.objects.get(pk=again.pk), by=owner, now=NOW)

    assert third.origin.kind == "schedule.stopped"
    assert emails.write(third, now=NOW).text.startswith("Manager has stopped the recurring invoice to Marlow Yachts Ltd")


def test_one_on_its_way_about_another_schedule_stops_nobody_from_sending_again(schedule: Schedule, merchant: Merchant, owner: User) -> None:
    other = start(make_schedule(merchant, title="Hosting"))
    for one in (schedule, other):
        schedules.stop(one, by=owner, now=NOW)
    fanout.run(NOW)
    first, second = Delivery.objects.order_by("id")
    Delivery.objects.filter(pk=first.pk).update(status="sent")
    again = outbox.send_again(Delivery.objects.get(pk=first.pk), by=owner, now=NOW)

    assert (again.template, again.recipient, second.status) == ("schedule_ended", "studio@harbourpine.example", "queued")
    with pytest.raises(outbox.Refused, match="One is already on its way"):
        outbox.send_again(Delivery.objects.get(pk=first.pk), by=owner, now=NOW)
