"""Who belongs to a business: inviting, joining, roles, leaving, handing over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from merchants import clock, team
from merchants.models import Event, Invitation, Membership, Role, User
from tests.factories import NOW, PASSWORD, add_member, make_merchant, make_user

pytestmark = pytest.mark.django_db

TEAM = "/m/harbour-pine/settings/team/"
RUI = "rui@harbourpine.example"


def seat(merchant, user):
    return Membership.objects.get(merchant=merchant, user=user)


def roles(merchant):
    return {member.user.email: str(member.role) for member in merchant.memberships.select_related("user")}


def invited(merchant, owner, *, email=RUI, role="viewer", now=NOW):
    return team.invite(merchant, email=email, role=role, by=owner, now=now)


def kinds():
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def last_event():
    return Event.objects.order_by("-id").first()


def link(invitation):
    return reverse("invitation", args=[team.link_token(invitation)])


@pytest.fixture
def fresh_owner(client_as, owner, merchant):
    client = client_as(owner)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


# --- the door: invitations ----------------------------------------------------------------------------------------
def test_an_invitation_is_an_event_with_all_that_its_mail_needs(merchant, owner):
    invitation = invited(merchant, owner, email=" Rui@HarbourPine.example ", role="manager")
    event = last_event()
    assert (event.kind, event.actor, event.subject_kind, event.subject_id) == ("member.invited", owner, "invitation", invitation.pk)
    assert event.facts == {
        "business": "Harbour & Pine",
        "who": "Inês Matos",
        "owners": ["ines@harbourpine.example"],
        "invitation": invitation.pk,
        "email": RUI,
        "role": "manager",
        "expires_at": "2026-11-24T10:00:00+00:00",
        "again": False,
    }


def test_the_link_of_an_invitation_is_in_no_event(merchant, owner):
    invitation = invited(merchant, owner)
    told = str(list(Event.objects.values_list("facts", flat=True)))
    assert invitation.nonce not in told
    assert team.link_token(invitation) not in told


def test_a_member_is_not_invited_by_any_of_their_addresses(merchant, owner, viewer):
    EmailAddress.objects.create(user=viewer, email="private@viewer.example", verified=True)
    for email in (viewer.email.upper(), "Private@viewer.example"):
        with pytest.raises(team.Refused, match="belongs to this business already"):
            invited(merchant, owner, email=email)
    assert not Invitation.objects.exists()


def test_nobody_is_invited_twice_but_after_a_withdrawal_or_to_another_business(merchant, owner):
    first = invited(merchant, owner)
    with pytest.raises(team.Refused, match="has an invitation already"):
        invited(merchant, owner)
    invited(make_merchant(owner, slug="tide-house"), owner)
    team.withdraw(first, by=owner, now=NOW)
    invited(merchant, owner)
    assert Invitation.objects.filter(merchant=merchant).count() == 2


def test_no_business_is_a_mailing_list(merchant, owner):
    for number in range(50):
        invited(merchant, owner, email=f"p{number}@harbourpine.example")
    with pytest.raises(team.Refused, match="50 invitations wait"):
        invited(merchant, owner, email="one-more@harbourpine.example")


def test_accepting_gives_the_seat_and_its_role_once(merchant, owner):
    invitation, rui = invited(merchant, owner, role="manager"), make_user(RUI, name="Rui Alves")
    team.accept(invitation, user=rui, now=NOW + timedelta(days=6))
    assert roles(merchant)[RUI] == "manager"
    assert (last_event().kind, last_event().facts["member"]) == ("member.joined", {"name": "Rui Alves", "email": RUI})
    seat(merchant, rui).delete()
    with pytest.raises(team.Refused, match="no longer open"):  # the mail is no way back in
        team.accept(invitation, user=rui, now=NOW + timedelta(days=6))
    assert RUI not in roles(merchant)


def test_only_the_address_that_was_invited_can_accept_and_only_when_it_is_confirmed(merchant, owner):
    invitation = invited(merchant, owner)
    stranger = make_user("ana@duarte.example")
    unconfirmed = make_user("other@harbourpine.example")
    EmailAddress.objects.create(user=unconfirmed, email=RUI, verified=False)
    for user in (stranger, unconfirmed):
        with pytest.raises(team.Refused, match="This invitation is for rui@"):
            team.accept(invitation, user=user, now=NOW)
    assert roles(merchant) == {"ines@harbourpine.example": "owner"}


def test_an_invitation_holds_for_seven_days(merchant, owner):
    invitation, rui = invited(merchant, owner), make_user(RUI)
    token = team.link_token(invitation)
    assert team.from_token(token, NOW + timedelta(days=7, seconds=-1)) == invitation
    assert team.from_token(token, NOW + timedelta(days=7)) is None
    with pytest.raises(team.Refused, match="no longer open"):
        team.accept(invitation, user=rui, now=NOW + timedelta(days=7))


def test_sending_again_makes_a_new_link_and_ends_the_one_before(merchant, owner):
    invitation, rui = invited(merchant, owner), make_user(RUI)
    before = team.link_token(invitation)
    later = NOW + timedelta(days=9)
    renewed = team.renew(invitation, by=owner, now=later)
    assert team.read_token(before) is None
    assert team.from_token(team.link_token(renewed), later) == invitation
    assert (last_event().kind, last_event().facts["again"]) == ("member.invited", True)
    with pytest.raises(team.Refused):  # a page opened with the old link
        team.accept(invitation, user=rui, now=later)
    team.accept(renewed, user=rui, now=later)
    assert roles(merchant)[RUI] == "viewer"


@pytest.mark.parametrize("change", ["", "x", "1", "cut", "swapped", "resigned"])
def test_a_link_cannot_be_guessed_or_bent(merchant, owner, change):
    invitation, other = invited(merchant, owner), invited(merchant, owner, email="ana@duarte.example")
    token, others = team.link_token(invitation), team.link_token(other)
    bent = {
        "cut": token[:-1],
        "swapped": token.rpartition(".")[0] + "." + others.rpartition(".")[2],
        "resigned": f"{invitation.pk}.{invitation.nonce}",
    }.get(change, change)
    assert team.read_token(bent) is None


def test_a_withdrawn_invitation_is_over(merchant, owner):
    invitation = invited(merchant, owner)
    team.withdraw(invitation, by=owner, now=NOW)
    assert (last_event().kind, last_event().facts["email"]) == ("invitation.withdrawn", RUI)
    assert team.from_token(team.link_token(invitation), NOW) is None
    for act in (team.withdraw, team.renew):
        with pytest.raises(team.Refused, match="just been accepted or withdrawn"):
            act(invitation, by=owner, now=NOW)


# --- the door: members --------------------------------------------------------------------------------------------
def test_a_changed_role_says_what_it_was(merchant, owner, viewer):
    team.change_role(seat(merchant, viewer), role="manager", by=owner, now=NOW)
    assert roles(merchant)[viewer.email] == "manager"
    assert last_event().facts == {
        "business": "Harbour & Pine",
        "who": "Inês Matos",
        "owners": ["ines@harbourpine.example"],
        "member": {"name": "Viewer", "email": viewer.email},
        "was": "viewer",
        "role": "manager",
    }


def test_a_business_is_never_without_an_owner(merchant, owner, manager):
    only = seat(merchant, owner)
    acts = (
        lambda: team.leave(only, now=NOW),
        lambda: team.remove(only, by=owner, now=NOW),
        lambda: team.change_role(only, role="viewer", by=owner, now=NOW),
    )
    for act in acts:
        with pytest.raises(team.Refused, match="Harbour & Pine would have no owner left"):
            act()
    assert roles(merchant) == {"ines@harbourpine.example": "owner", manager.email: "manager"}
    assert kinds() == []


def test_of_two_owners_one_can_go_and_the_other_cannot(merchant, owner):
    rui = add_member(merchant, "owner", email=RUI)
    team.leave(seat(merchant, owner), now=NOW)
    with pytest.raises(team.Refused):
        team.leave(seat(merchant, rui), now=NOW)
    assert roles(merchant) == {RUI: "owner"}
    assert (last_event().kind, last_event().facts["owners"]) == ("member.left", ["ines@harbourpine.example", RUI])


def test_who_is_taken_out_is_told_with_the_owners_and_keeps_no_way_back(merchant, owner):
    rui = add_member(merchant, "owner", email=RUI)
    back_door = invited(merchant, rui, email="rui.again@elsewhere.example", role="owner")
    kept = invited(merchant, owner, email="ana@duarte.example")
    team.remove(seat(merchant, rui), by=owner, now=NOW)
    removed = Event.objects.get(kind="member.removed")
    assert (removed.actor, removed.facts["member"]["email"], removed.facts["owners"]) == (owner, RUI, ["ines@harbourpine.example", RUI])
    assert team.from_token(team.link_token(back_door), NOW) is None
    assert team.from_token(team.link_token(kept), NOW) == kept
    assert roles(merchant) == {"ines@harbourpine.example": "owner"}


def test_an_owner_who_becomes_less_leaves_no_open_invitation_behind(merchant, owner):
    rui = add_member(merchant, "owner", email=RUI)
    offered = invited(merchant, rui, email="friend@elsewhere.example", role="owner")
    team.change_role(seat(merchant, rui), role="viewer", by=owner, now=NOW)
    assert team.from_token(team.link_token(offered), NOW) is None


def test_somebody_who_has_just_lost_the_ownership_decides_nothing_more(merchant, owner, viewer):
    rui = add_member(merchant, "owner", email=RUI)
    invitation = invited(merchant, owner, email="ana@duarte.example")
    team.change_role(seat(merchant, rui), role="manager", by=owner, now=NOW)
    acts = (
        lambda: team.invite(merchant, email="x@y.example", role="owner", by=rui, now=NOW),
        lambda: team.renew(invitation, by=rui, now=NOW),
        lambda: team.withdraw(invitation, by=rui, now=NOW),
        lambda: team.change_role(seat(merchant, viewer), role="owner", by=rui, now=NOW),
        lambda: team.remove(seat(merchant, viewer), by=rui, now=NOW),
        lambda: team.hand_over(merchant, to=seat(merchant, viewer), by=rui, stays="manager", now=NOW),
    )
    for act in acts:
        with pytest.raises(team.Refused, match="You are no owner of Harbour & Pine any more"):
            act()


@pytest.mark.parametrize("stays", ["owner", "manager"])
def test_ownership_is_handed_over_and_the_giver_chooses_what_they_become(merchant, owner, viewer, stays):
    team.hand_over(merchant, to=seat(merchant, viewer), by=owner, stays=stays, now=NOW)
    assert roles(merchant) == {"ines@harbourpine.example": stays, viewer.email: "owner"}
    event = last_event()
    assert (event.kind, event.facts["from"]["email"], event.facts["to"]["email"], event.facts["giver_role"], event.facts["was"]) == (
        "merchant.handed_over",
        "ines@harbourpine.example",
        viewer.email,
        stays,
        "viewer",
    )


@pytest.mark.parametrize("how", ["leaves", "hands over"])
def test_an_owner_who_goes_or_hands_over_leaves_no_way_back(merchant, owner, how):
    rui = add_member(merchant, "owner", email=RUI)
    back_door = invited(merchant, rui, email="rui.again@elsewhere.example", role="owner")
    if how == "leaves":
        team.leave(seat(merchant, rui), now=NOW)
    else:
        team.hand_over(merchant, to=seat(merchant, owner), by=rui, stays="manager", now=NOW)
    assert team.from_token(team.link_token(back_door), NOW) is None


def test_who_hands_over_and_stays_an_owner_keeps_what_they_offered(merchant, owner, viewer):
    offered = invited(merchant, owner)
    team.hand_over(merchant, to=seat(merchant, viewer), by=owner, stays="owner", now=NOW)
    assert team.from_token(team.link_token(offered), NOW) == offered


# --- the page of the team -----------------------------------------------------------------------------------------
def test_everyone_sees_the_team_and_only_owners_see_how_to_change_it(client_as, merchant, owner, manager, viewer):
    invitation = invited(merchant, owner, now=clock.now())
    theirs = reverse("member_remove", args=[merchant.slug, seat(merchant, viewer).pk])
    for user, owns in ((viewer, False), (manager, False), (owner, True)):
        page = client_as(user).get(TEAM).content.decode()
        assert all(email in page for email in (owner.email, manager.email, viewer.email, RUI))
        assert (theirs in page, f"{TEAM}invite/" in page, f"/invitations/{invitation.pk}/again/" in page) == (owns, owns, owns)
        assert f"{TEAM}leave/" in page


def test_the_page_asks_the_database_as_often_for_three_members_as_for_one(client_as, merchant, owner):
    desk = client_as(owner)
    desk.get(TEAM)

    def count():
        with CaptureQueriesContext(connection) as seen:
            desk.get(TEAM)
        return len(seen)

    invited(merchant, owner)
    once = count()
    for number in range(2):
        add_member(merchant, "viewer", email=f"v{number}@harbourpine.example")
        invited(merchant, owner, email=f"i{number}@harbourpine.example")
    assert count() == once


def test_what_was_typed_waits_over_the_fresh_sign_in(client_as, owner, merchant):
    client = client_as(owner)
    held_up = client.post(f"{TEAM}invite/", {"email": RUI, "role": "manager"})
    assert held_up.url == "/accounts/reauthenticate/?next=%2Fm%2Fharbour-pine%2Fsettings%2Fteam%2F"
    assert not Invitation.objects.exists()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    form = client.get(TEAM).context["form"]
    assert (form["email"].value(), form["role"].value()) == (RUI, "manager")
    client.post(f"{TEAM}invite/", {"email": RUI, "role": "manager"})
    assert Invitation.objects.get().role == "manager"


@pytest.mark.parametrize(
    ("written", "field", "sentence"),
    [
        ({"email": "rui", "role": "viewer"}, "email", "This is not an email address. Write it like name@example.com."),
        ({"email": "", "role": "viewer"}, "email", "Enter the address of whom you invite."),
        ({"email": RUI}, "role", "Choose what they may do."),
        ({"email": RUI, "role": "king"}, "role", "Choose what they may do."),
        ({"email": "ines@harbourpine.example", "role": "viewer"}, "email", "belongs to this business already"),
    ],
)
def test_a_mistake_in_an_invitation_is_said_beside_its_field(fresh_owner, written, field, sentence):
    answer = fresh_owner.post(f"{TEAM}invite/", written)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert sentence in answer.content.decode()
    assert not Invitation.objects.exists()


def test_every_change_of_a_member_is_asked_first_and_says_what_will_happen(fresh_owner, merchant, viewer):
    pk = seat(merchant, viewer).pk
    pages = {
        f"{TEAM}members/{pk}/remove/": "Remove Viewer from Harbour &amp; Pine?",
        f"{TEAM}members/{pk}/role/": "What may Viewer do?",
        f"{TEAM}leave/": "Leave Harbour &amp; Pine?",
        f"{TEAM}hand-over/": "Who is to own Harbour &amp; Pine?",
    }
    for page, question in pages.items():
        assert question in fresh_owner.get(page).content.decode()
    assert kinds() == []
    fresh_owner.post(f"{TEAM}members/{pk}/role/", {"role": "manager"})
    fresh_owner.post(f"{TEAM}members/{pk}/remove/")
    assert kinds() == ["member.role_changed", "member.removed"]


def test_the_only_owner_is_shown_the_way_to_leave_instead_of_a_button(fresh_owner, merchant, owner):
    page = fresh_owner.get(f"{TEAM}leave/").content.decode()
    assert "You are its only owner." in page
    assert f"{TEAM}hand-over/" in page
    assert fresh_owner.post(f"{TEAM}leave/", follow=True).redirect_chain == [(f"{TEAM}leave/", 302)]
    assert roles(merchant) == {"ines@harbourpine.example": "owner"}
    assert "There is no other owner." in fresh_owner.get(f"{TEAM}members/{seat(merchant, owner).pk}/role/").content.decode()


def test_a_viewer_leaves_without_being_an_owner(client_as, merchant, viewer):
    client = client_as(viewer)
    assert client.get(f"{TEAM}leave/").status_code == 200
    assert client.post(f"{TEAM}leave/").url == "/"
    assert client.get("/m/harbour-pine/").status_code == 404
    assert viewer.email not in roles(merchant)


def test_handing_over_over_http(fresh_owner, merchant, viewer):
    other = add_member(make_merchant(slug="secret-orchard"), "viewer")
    foreign = Membership.objects.get(user=other)
    answer = fresh_owner.post(f"{TEAM}hand-over/", {"to": str(foreign.pk), "stays": "manager"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["to"])
    fresh_owner.post(f"{TEAM}hand-over/", {"to": str(seat(merchant, viewer).pk), "stays": "manager"})
    assert roles(merchant) == {"ines@harbourpine.example": "manager", viewer.email: "owner"}
    assert fresh_owner.get(f"{TEAM}hand-over/").status_code == 403  # a manager now


# --- the link -----------------------------------------------------------------------------------------------------
def test_the_page_of_an_invitation_says_who_invites_to_what_and_changes_nothing(client, merchant, owner):
    invitation = invited(merchant, owner, role="manager", now=clock.now())
    before = Invitation.objects.values().get()
    page = client.get(link(invitation)).content.decode()
    for words in ("Join Harbour &amp; Pine", "Inês Matos (ines@harbourpine.example) invites you.", RUI, "Manager", "Create an account to accept"):
        assert words in page
    assert Invitation.objects.values().get() == before
    make_user(RUI)
    assert "Sign in to accept" in client.get(link(invitation)).content.decode()


def test_signed_in_with_that_address_one_press_accepts(client_as, merchant, owner):
    invitation = invited(merchant, owner, now=clock.now())
    rui = make_user(RUI)
    client = client_as(rui)
    assert "Accept" in client.get(link(invitation)).content.decode()
    assert client.post(f"{link(invitation)}accept/").url == "/m/harbour-pine/"
    assert roles(merchant)[RUI] == "viewer"
    gone = client.get(link(invitation))
    assert (gone.status_code, "This invitation has been accepted" in gone.content.decode()) == (410, True)


def test_somebody_else_is_told_so_in_plain_words_and_cannot_accept(client_as, merchant, owner):
    invitation = invited(merchant, owner, now=clock.now())
    client = client_as(make_user("ana@duarte.example"))
    page = client.get(link(invitation)).content.decode()
    assert "You are signed in as ana@duarte.example." in page
    assert "Only rui@harbourpine.example can accept." in page
    assert f"{link(invitation)}accept/" not in page
    client.post(f"{link(invitation)}accept/")
    assert roles(merchant) == {"ines@harbourpine.example": "owner"}
    assert client.post(reverse("account_logout"), {"next": link(invitation)}).url == link(invitation)


def test_a_link_that_opens_nothing_says_what_to_do(client, merchant, owner):
    invitation = invited(merchant, owner, now=clock.now())
    here = link(invitation)
    clock.move(timedelta(days=7, minutes=1))
    assert "Ask an owner of Harbour &amp; Pine to send it again" in client.get(here).content.decode()
    renewed = team.renew(invitation, by=owner, now=clock.now())
    replaced = client.get(here)
    assert (replaced.status_code, "a newer mail has replaced it" in replaced.content.decode()) == (404, True)
    assert "Harbour" not in replaced.content.decode()
    team.withdraw(renewed, by=owner, now=clock.now())
    assert "This invitation was withdrawn" in client.get(link(renewed)).content.decode()


def test_an_invited_person_signs_up_while_sign_up_is_closed_and_is_in_at_once(client, merchant, owner, settings):
    settings.SIGNUP_OPEN = False
    invitation = invited(merchant, owner, now=clock.now())
    here = link(invitation)
    form = client.get(reverse("account_signup"), {"next": here}).content.decode()
    assert f'value="{RUI}"' in form
    assert "to join Harbour &amp; Pine" in form
    newcomer = {"name": "Rui Alves", "email": RUI, "password1": PASSWORD, "next": here}
    assert client.post(reverse("account_signup"), newcomer).url == here
    assert mail.outbox == []  # the invitation has proved the address
    assert client.post(f"{here}accept/").url == "/m/harbour-pine/"
    assert (roles(merchant)[RUI], User.objects.get(email=RUI).name) == ("viewer", "Rui Alves")


def test_an_invitation_opens_the_way_in_for_its_own_address_alone(merchant, owner, settings):
    settings.SIGNUP_OPEN = False
    invitation = invited(merchant, owner, now=clock.now())
    other = {"name": "Ana", "email": "ana@duarte.example", "password1": PASSWORD, "next": link(invitation)}
    answer = Client().post(reverse("account_signup"), other)
    assert "The invitation is for rui@harbourpine.example." in answer.content.decode()
    mine = other | {"email": RUI}
    for back in ("", "/", "/invitation/forged/", f"//evil.example{link(invitation)}x"):
        assert "Sign-up is closed" in Client().post(reverse("account_signup"), mine | {"next": back}).content.decode()
    team.withdraw(invitation, by=owner, now=clock.now())
    assert "Sign-up is closed" in Client().post(reverse("account_signup"), mine).content.decode()
    assert not User.objects.filter(email__in=[RUI, "ana@duarte.example"]).exists()


def test_an_invitation_confirms_no_address_but_its_own(client, merchant, owner, settings):
    invitation = invited(merchant, owner, now=clock.now())
    taken = {"name": "Ana", "email": "ana@duarte.example", "password1": PASSWORD, "next": link(invitation)}
    client.post(reverse("account_signup"), taken)
    assert not EmailAddress.objects.filter(email="ana@duarte.example", verified=True).exists()


def test_an_invitation_is_no_way_into_an_account_that_exists(client, merchant, owner, settings):
    settings.SIGNUP_OPEN = False
    make_user(RUI, name="Rui Alves", password=PASSWORD)
    invitation = invited(merchant, owner, now=clock.now())
    client.post(reverse("account_signup"), {"name": "X", "email": RUI, "password1": "another-1887-tide", "next": link(invitation)})
    assert "_auth_user_id" not in client.session
    assert User.objects.get(email=RUI).name == "Rui Alves"
    signed_in = client.post(reverse("account_login"), {"login": RUI, "password": PASSWORD, "next": link(invitation)})
    assert signed_in.url == link(invitation)


def test_the_roles_are_the_three_of_the_table():
    assert list(Role) == ["viewer", "manager", "owner"]
