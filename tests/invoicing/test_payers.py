"""The directory of payers: who is found, what stands with each, what changes there and what does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from invoicing import payers
from invoicing.models import Invoice, Payer, Shelf, Status
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, make_schedule, publish


def known(merchant: Merchant, name: str, email: str = "", **fields: str) -> Payer:
    return Payer.objects.create(merchant=merchant, name=name, email=email or f"{name.split()[0].lower()}@example.com", **fields)


def names(merchant: Merchant, **how: object) -> list[str]:
    return [row.payer.name for row in payers.directory(merchant, **how).rows]  # type: ignore[arg-type]


@pytest.fixture
def ana(merchant: Merchant) -> Payer:
    return known(merchant, "Ana Duarte", "ana@duarte.example", tax_id="PT 231 885 902")


# --- the directory ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("search", ["ana", "DUARTE.EXAMPLE", "231 pt", "  Duarte  ana "])
def test_every_word_is_looked_for_in_name_email_and_tax_number(ana: Payer, search: str) -> None:
    known(ana.merchant, "Kobayashi")
    known(make_merchant(slug="other"), "Ana Duarte", tax_id="PT 231 885 902")
    assert names(ana.merchant, search=search) == ["Ana Duarte"]


@pytest.mark.parametrize("search", ["élodie", "ÉLODIE", "Élodie"])
def test_letters_beyond_ascii_are_found_in_either_case(merchant: Merchant, search: str) -> None:
    known(merchant, "Élodie Petit", "e@petit.example")
    assert names(merchant, search=search) == ["Élodie Petit"]


def test_a_percent_sign_looks_for_itself(ana: Payer) -> None:
    assert names(ana.merchant, search="%") == []


def test_pages_go_by_name_back_and_forth_and_meet(merchant: Merchant) -> None:
    for number in range(60, 0, -1):
        known(merchant, f"{'payer' if number % 2 else 'Payer'} {number:02d}", f"{number}@example.com")
    for twin in range(2):
        known(merchant, "Payer 25", f"twin{twin}@example.com")
    everyone = [payer.name.lower() for payer in sorted(Payer.objects.all(), key=lambda payer: (payer.name.lower(), payer.pk))]
    first = payers.directory(merchant)
    second = payers.directory(merchant, after=first.on)
    third = payers.directory(merchant, after=second.on)
    assert [row.payer.name.lower() for page in (first, second, third) for row in page.rows] == everyone
    assert (first.back, third.on, len(third.rows)) == (None, None, 12)
    again = payers.directory(merchant, before=third.back)
    assert [row.payer.pk for row in again.rows] == [row.payer.pk for row in second.rows]
    assert [row.payer.pk for row in payers.directory(merchant, before=again.back).rows] == [row.payer.pk for row in first.rows]


def test_a_key_that_is_gone_begins_at_the_start(ana: Payer) -> None:
    assert names(ana.merchant, after=10**9) == names(ana.merchant, before=10**9) == ["Ana Duarte"]


@pytest.fixture
def account(ana: Payer) -> Payer:
    """Open, partly paid and confirming, overdue, paid, void with money on it, removed, a draft; EUR and JPY."""
    merchant, soon = ana.merchant, NOW + timedelta(days=5)

    def issued(minutes: int = 0, **fields: object) -> Invoice:
        return publish(make_draft(merchant, payer=ana, **{"due_at": soon, **fields}), now=NOW - timedelta(days=9, minutes=-minutes))  # type: ignore[arg-type]

    Invoice.objects.filter(pk=issued().pk).update(credited_minor=30_000, pending_minor=50_000)
    issued(1, due_at=NOW - timedelta(days=1))
    Invoice.objects.filter(pk=issued(2).pk).update(status=Status.PAID, credited_minor=185_000)
    Invoice.objects.filter(pk=issued(3).pk).update(status=Status.VOID, credited_minor=7_000)
    Invoice.objects.filter(pk=issued(4).pk).update(shelf=Shelf.REMOVED, status=Status.VOID)
    issued(5, currency="JPY", lines=[("Design", "1", "618000")])
    make_draft(merchant, payer=ana)
    publish(make_draft(merchant, payer=known(merchant, "Zora")), now=NOW)
    other = make_merchant(slug="other")
    publish(make_draft(other, payer=known(other, "Ana Duarte", "ana@duarte.example")), now=NOW)
    return ana


def test_the_list_says_what_is_open_and_still_due_per_currency(account: Payer) -> None:
    row = payers.directory(account.merchant).rows[0]
    assert (row.payer, row.open, row.due) == (account, 3, [("EUR", 280_000), ("JPY", 618_000)])
    assert row.last_at == NOW - timedelta(days=9, minutes=-5)


def test_the_list_takes_the_same_queries_for_one_payer_and_for_many(account: Payer, django_assert_num_queries: Callable[..., object]) -> None:
    with django_assert_num_queries(2):
        payers.directory(account.merchant, search="ana")
    for number in range(30):
        publish(make_draft(account.merchant, payer=known(account.merchant, f"Payer {number}", f"{number}@example.com")), now=NOW)
    with django_assert_num_queries(2):
        assert len(payers.directory(account.merchant).rows) == 25


def test_the_totals_count_open_and_paid_and_tell_apart_what_is_on_void_ones(account: Payer) -> None:
    assert payers.totals(account, now=NOW) == [
        payers.Totals("EUR", 3, 540_000, 215_000, 50_000, 280_000, 180_000, 7_000),
        payers.Totals("JPY", 1, 618_000, 0, 0, 618_000, 0, 0),
    ]


def test_figures_come_from_the_invoices_whatever_the_entry_says_now(account: Payer, owner: User) -> None:
    before = payers.totals(account, now=NOW)
    payers.change(account, values={"name": "Duarte Lda", "email": "contas@duarte.example"}, by=owner, now=NOW)
    assert payers.totals(Payer.objects.get(pk=account.pk), now=NOW) == before
    assert set(payers.invoices(account).values_list("payer_name", "payer_email")) == {("Ana Duarte", "ana@duarte.example")}


# --- what the form offers ---------------------------------------------------------------------------------------
def test_those_invoiced_last_are_offered_first_with_the_invoice_to_copy(account: Payer) -> None:
    known(account.merchant, "Anabela Never-Invoiced", "anabela@example.com")
    found = [(offer.payer.name, offer.last and (offer.last.number, offer.last.currency)) for offer in payers.offers(account.merchant, "an")]
    assert found == [("Ana Duarte", ("INV-000006", "JPY")), ("Anabela Never-Invoiced", None)]


def test_a_name_that_begins_so_goes_before_one_that_only_holds_it(account: Payer) -> None:
    known(account.merchant, "Gianna Piana", "g@piana.example")
    known(account.merchant, "Rui Anastácio", "rui@example.com")
    publish(make_draft(account.merchant, payer=Payer.objects.get(name="Gianna Piana")), now=NOW)
    assert [offer.payer.name for offer in payers.offers(account.merchant, "ana")] == ["Ana Duarte", "Rui Anastácio", "Gianna Piana"]


def test_at_most_eight_are_offered_in_two_queries(merchant: Merchant, django_assert_num_queries: Callable[..., object]) -> None:
    for number in range(12):
        publish(make_draft(merchant, payer=known(merchant, f"Payer {number}", f"{number}@example.com")), now=NOW)
    with django_assert_num_queries(2):
        assert len(payers.offers(merchant, "payer")) == 8


# --- changes ----------------------------------------------------------------------------------------------------
def told(kind: str) -> list[dict[str, object]]:
    return [event.facts for event in Event.objects.filter(kind=kind)]


def test_adding_changing_and_deleting_are_events(merchant: Merchant, owner: User) -> None:
    values = {"name": "Rui Sá", "email": "rui@sa.example", "address": "", "tax_id": ""}
    rui = payers.add(merchant, values=values, by=owner, now=NOW)
    assert payers.change(rui, values=values, by=owner, now=NOW) is False
    assert payers.change(rui, values={**values, "tax_id": "PT 9"}, by=owner, now=NOW) is True
    payers.delete(rui, by=owner, now=NOW)
    facts = {"payer": {"name": "Rui Sá", "email": "rui@sa.example"}}
    assert (told("payer.created"), told("payer.edited"), told("payer.deleted")) == ([facts], [{**facts, "fields": ["tax_id"]}], [facts])
    assert not Payer.objects.exists()


def test_a_second_entry_of_the_same_name_and_email_is_refused_with_a_sentence(ana: Payer, owner: User) -> None:
    rui = known(ana.merchant, "Rui Sá")
    for attempt in (
        lambda: payers.add(ana.merchant, values={"name": ana.name, "email": ana.email}, by=owner, now=NOW),
        lambda: payers.change(rui, values={"name": ana.name, "email": ana.email}, by=owner, now=NOW),
    ):
        with pytest.raises(payers.AlreadyThere, match=r"^Ana Duarte with this email is among your payers already\.$"):
            attempt()
    assert not Event.objects.filter(subject_kind="payer").exists()
    assert payers.add(make_merchant(slug="other"), values={"name": ana.name, "email": ana.email}, by=owner, now=NOW).pk


def test_deleting_a_payer_leaves_every_invoice_as_it_was(account: Payer, owner: User) -> None:
    untouched = [field.attname for field in Invoice._meta.fields if field.name != "payer"]
    before = list(Invoice.objects.order_by("pk").values(*untouched))
    payers.delete(account, by=owner, now=NOW)
    assert list(Invoice.objects.order_by("pk").values(*untouched)) == before


# --- the pages --------------------------------------------------------------------------------------------------
def url(name: str, payer: Payer, *, alone: bool = False) -> str:
    return reverse(name, args=[payer.merchant.slug] if alone else [payer.merchant.slug, payer.pk])


def test_an_empty_directory_says_what_it_is_for(merchant: Merchant, owner: User, client_as: Callable[[User], Client]) -> None:
    text = client_as(owner).get(reverse("payers", args=[merchant.slug])).content.decode()
    assert "No payers yet" in text
    assert "No payer matches" in client_as(owner).get(reverse("payers", args=[merchant.slug]), {"q": "x"}).content.decode()


def test_a_payers_page_gathers_details_invoices_and_schedules(account: Payer, owner: User, client_as: Callable[[User], Client]) -> None:
    make_schedule(account.merchant, payer=account, title="Retainer, {month}")
    make_schedule(account.merchant, title="Somebody else’s")
    text = client_as(owner).get(url("payer", account)).content.decode()
    for words in ("ana@<wbr>duarte", "PT 231 885 902", "Retainer, {month}", "2,800.00", "618,000", "and 70.00 on void invoices", "INV-000006"):
        assert words in text
    assert "INV-000005" not in text  # removed from the dashboard
    assert "Somebody else" not in text
    assert f"/m/harbour-pine/invoices/?payer={account.pk}" in text


def test_a_payers_page_takes_the_same_queries_for_one_invoice_and_for_many(
    ana: Payer, owner: User, client_as: Callable[[User], Client], django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = client_as(owner)
    publish(make_draft(ana.merchant, payer=ana), now=NOW)
    client.get(url("payer", ana))
    with django_assert_max_num_queries(30) as one:
        client.get(url("payer", ana))
    for _number in range(9):
        publish(make_draft(ana.merchant, payer=ana), now=NOW)
    with django_assert_max_num_queries(30) as ten:
        client.get(url("payer", ana))
    assert len(ten) == len(one)  # type: ignore[arg-type]


def test_a_viewer_sees_a_payer_and_no_door_to_change_one(account: Payer, viewer: User, client_as: Callable[[User], Client]) -> None:
    text = client_as(viewer).get(url("payer", account)).content.decode()
    for path in (url("payer_edit", account), url("payer_delete", account), "invoices/new/", "duplicate/"):
        assert path not in text


def test_an_edit_says_that_what_was_written_stays_and_refuses_beside_the_field(ana: Payer, owner: User, client_as: Callable[[User], Client]) -> None:
    client = client_as(owner)
    assert "Issued invoices keep what they say" in client.get(url("payer_edit", ana)).content.decode()
    known(ana.merchant, "Rui Sá", "rui@sa.example")
    answer = client.post(url("payer_edit", ana), {"name": "Rui Sá", "email": "rui@sa.example", "address": "Typed"})
    assert answer.status_code == 422
    assert answer.context["form"].errors == {"name": ["Rui Sá with this email is among your payers already."]}
    assert "Typed" in answer.content.decode()
    wrong = client.post(url("payer_edit", ana), {"name": " ", "email": "ana@"})
    assert wrong.context["form"].errors == {
        "name": ["Say who it is."],
        "email": ["This is not an email address. Write it like name@example.com."],
    }
    ana.refresh_from_db()
    assert ana.name == "Ana Duarte"


def test_another_entry_with_the_same_address_is_named_and_linked(ana: Payer, owner: User, client_as: Callable[[User], Client]) -> None:
    client = client_as(owner)
    known(make_merchant(slug="other"), "A stranger", ana.email)
    assert "has this address too" not in client.get(url("payer", ana)).content.decode()
    values = {"name": "Ana D. Studio", "email": ana.email.upper()}
    saved = client.post(url("payer_new", ana, alone=True), values, follow=True)
    text = saved.content.decode()
    assert f'<a href="{url("payer", ana)}">Ana Duarte</a> has this address too.' in text
    assert "A stranger" not in text


def test_a_new_invoice_begins_with_the_payer_it_was_asked_for(account: Payer, owner: User, client_as: Callable[[User], Client]) -> None:
    other = Payer.objects.exclude(merchant=account.merchant).get()
    Payer.objects.filter(pk=account.pk).update(address="Rua do Alecrim 41")
    answer = client_as(owner).get(url("invoice_new", account, alone=True), {"payer": account.pk})
    form = answer.context["form"]
    assert [form[name].value() for name in ("payer_name", "payer_email", "payer_address", "payer_tax_id")] == [
        *("Ana Duarte", "ana@duarte.example", "Rua do Alecrim 41", "PT 231 885 902")
    ]
    assert answer.context["sums"].recipient == "Ana Duarte"
    assert "Last invoice: INV-000006, Brand identity, phase 2, 618,000 JPY." in answer.content.decode()
    for asked in (str(other.pk), "x", "9" * 30, ""):
        blank = client_as(owner).get(url("invoice_new", account, alone=True), {"payer": asked})
        assert blank.context["form"]["payer_name"].value() is None


def test_the_form_is_offered_payers_with_what_to_fill_in_and_what_to_copy(account: Payer, owner: User, client_as: Callable[[User], Client]) -> None:
    last = Invoice.objects.get(number="INV-000006", merchant=account.merchant)
    answer = client_as(owner).get(url("payers_suggest", account, alone=True), {"q": "duarte"})
    assert answer.json() == {
        "said": "1 payer you know",
        "offers": [
            {
                "label": "Ana Duarte",
                "note": "ana@duarte.example",
                "fill": {
                    "payer_name": "Ana Duarte",
                    "payer_email": "ana@duarte.example",
                    "payer_address": "",
                    "payer_tax_id": "PT 231 885 902",
                    "mail_to": "",
                    "mail_cc": "",
                    "mail_bcc": "",
                    "language": "en",
                },
                "last": {
                    "text": "Last invoice: INV-000006, Brand identity, phase 2, 618,000 JPY.",
                    "copy": f"/m/harbour-pine/invoices/{last.pk}/duplicate/",
                },
            }
        ],
    }
    assert client_as(owner).get(url("payers_suggest", account, alone=True)).json() == {"said": "", "offers": []}


def test_copying_the_last_invoice_makes_one_draft_however_often_it_is_pressed(
    account: Payer, owner: User, client_as: Callable[[User], Client]
) -> None:
    client, before = client_as(owner), Invoice.objects.count()
    answer = client.get(url("payer", account))
    copy = reverse("invoice_duplicate", args=[account.merchant.slug, answer.context["last"].pk])
    for _press in range(2):
        client.post(copy, {"form_key": answer.context["form_key"]})
    assert Invoice.objects.count() == before + 1
