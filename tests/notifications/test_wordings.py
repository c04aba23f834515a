"""The merchant's own words in mails to payers: what may stand in them, and where they end up."""

from datetime import timedelta

import pytest

from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails, wordings
from notifications.mail.wordings import Refused, Words
from notifications.models import Delivery, Wording
from tests.factories import NOW, make_merchant

pytestmark = pytest.mark.django_db

OWN = Words("For {title}: {amount}", "Dear {payer},\nthank you for your trust. {number} is due by {due}.\n\n{business}")


def say(merchant: Merchant, by: User, words: Words = OWN, template: str = "issued", language: str = "en") -> bool:
    return wordings.save(merchant, words, template=template, language=language, by=by, now=NOW)


def test_a_mail_has_the_merchants_subject_and_its_words_where_the_opening_was(merchant: Merchant, owner: User, issued_mail: Delivery) -> None:
    usual = emails.write(issued_mail, now=NOW)
    assert say(merchant, owner)
    own = emails.write(issued_mail, now=NOW)

    opening = "thank you for your trust. INV-000001 is due by Tuesday 1 December 2026, 10:00, Lisbon time."
    assert usual.subject == "Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR"
    assert own.subject == "For Brand identity, phase 2: 4,280.40 EUR"
    assert own.text.startswith(f"Dear Ana Duarte,\n{opening}\n\nHarbour & Pine\n\nAmount due: 4,280.40 EUR")
    assert f"Dear Ana Duarte,<br>{opening}<br><br>Harbour &amp; Pine</p>" in own.html
    for gone in ("Hello Ana Duarte", "here is your invoice"):
        assert gone in usual.text
        assert gone not in own.text + own.html


def test_only_a_subject_leaves_the_opening_as_it_was_and_the_other_way_round(merchant: Merchant, owner: User, issued_mail: Delivery) -> None:
    say(merchant, owner, Words(subject="Ahoy, {payer}"))
    letter = emails.write(issued_mail, now=NOW)
    assert (letter.subject, letter.text[:17]) == ("Ahoy, Ana Duarte", "Hello Ana Duarte,")

    say(merchant, owner, Words(message="Ahoy"))
    letter = emails.write(issued_mail, now=NOW)
    assert (letter.subject, letter.text[:5]) == ("Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR", "Ahoy\n")


def test_words_are_of_one_kind_one_language_and_one_merchant(merchant: Merchant, owner: User, issued_mail: Delivery) -> None:
    usual = emails.write(issued_mail, now=NOW)
    say(merchant, owner, template="receipt")
    say(merchant, owner, language="de")
    say(make_merchant(owner, slug="another"), owner)

    assert emails.write(issued_mail, now=NOW) == usual


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{total}", "{total}"),
        ("{payer.password}", "{payer.password}"),
        ("{0}", "{0}"),
        ("{}", "{}"),
        ("{{payer}}", "{}"),
        ("{% debug %}", "{% debug %}"),
        ("{payer", "{payer"),
        ("payer}", "}"),
        ("{ payer }", "{ payer }"),
        ("{payer!r:>99999}", "{payer!r:>99999}"),
    ],
)
def test_any_other_brace_is_refused_when_it_is_saved_or_tried(merchant: Merchant, owner: User, text: str, found: str) -> None:
    for words in (Words(subject=text), Words(message=text)):
        with pytest.raises(Refused) as refusal:
            say(merchant, owner, words)
        assert str(refusal.value) == f"{found} is no placeholder. Use those of the list, and no other braces."
        with pytest.raises(Refused):
            wordings.test(merchant, words, template="issued", language="en", by=owner, now=NOW)
    assert not Wording.objects.exists()
    assert not Delivery.objects.exists()


def test_what_is_put_in_is_not_read_again_and_stays_text(merchant: Merchant, owner: User, invoice: Invoice) -> None:
    Invoice.objects.update(payer_name="{number} <script>alert(1)</script> %(payer)s {{ invoice.pk }}", title="A\u2028B")
    say(merchant, owner, Words("{payer}: {title}\t.", "{payer} <b>&"))
    fanout.run(NOW)
    letter = emails.write(Delivery.objects.get(template="issued"), now=NOW)

    assert letter.subject == "{number} <script>alert(1)</script> %(payer)s {{ invoice.pk }}: A B ."
    assert "{number} <script>alert(1)</script> %(payer)s {{ invoice.pk }} <b>&\n" in letter.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; %(payer)s {{ invoice.pk }} &lt;b&gt;&amp;</p>" in letter.html
    assert "<script" not in letter.html


def test_the_figures_of_a_right_to_left_mail_stay_in_their_order(merchant: Merchant, owner: User, invoice: Invoice) -> None:
    Invoice.objects.update(language="ar")
    say(merchant, owner, Words("{number}: {amount}", "{amount} {number}"), language="ar")
    fanout.run(NOW)
    letter = emails.write(Delivery.objects.get(template="issued"), now=NOW)

    first = letter.text.splitlines()[0]
    assert (first[0], first[-1], first.count("\u2066"), first.count("\u2069")) == ("\u2066", "\u2069", 2, 2)
    assert first.endswith("\u2066INV-000001\u2069")
    assert letter.subject.startswith("INV-000001: ")


@pytest.mark.parametrize(
    ("template", "amount"),
    [("issued", "420.00 EUR"), ("reminder", "420.00 EUR"), ("part_received", "105.00 EUR"), ("receipt", "420.00 EUR"), ("cancelled", "420.00 EUR")],
)
def test_every_kind_can_be_tried_on_a_sample_by_whoever_asks_and_nobody_else(merchant: Merchant, owner: User, template: str, amount: str) -> None:
    wordings.test(merchant, Words("{number}: {amount}", "Ahoy {payer}"), template=template, language="en", by=owner, now=NOW)
    delivery = Delivery.objects.get()
    letter = emails.write(delivery, now=NOW)

    assert (delivery.recipient, delivery.template, delivery.invoice, delivery.status) == (owner.email, template, None, "queued")
    assert (letter.subject, letter.text.splitlines()[0]) == (f"INV-000042: {amount}", "Ahoy Ana Duarte")
    assert not Invoice.objects.exists()
    assert not Wording.objects.exists()
    assert fanout.run(NOW).channels == set()  # nobody else is told


def test_a_test_sent_again_reads_the_same(merchant: Merchant, owner: User) -> None:
    from notifications import outbox

    first = wordings.test(merchant, OWN, template="issued", language="en", by=owner, now=NOW)
    Delivery.objects.update(status="sent")
    again = outbox.again(Delivery.objects.get(pk=first.pk), by=owner, now=NOW)

    assert again.pk != first.pk
    assert emails.write(again, now=NOW).subject == "For Brand identity: 420.00 EUR"


def test_saving_and_resetting_are_events_and_the_same_words_are_none(merchant: Merchant, owner: User) -> None:
    assert say(merchant, owner)
    assert not say(merchant, owner)
    assert wordings.own(merchant) == {("issued", "en")}
    assert wordings.reset(merchant, template="issued", language="en", by=owner, now=NOW + timedelta(minutes=1))
    assert not wordings.reset(merchant, template="issued", language="en", by=owner, now=NOW)

    assert wordings.own(merchant) == set()
    told = Event.objects.filter(kind="merchant.changed").values_list("facts", "actor")
    assert list(told) == [({"fields": ["wordings"], "template": "issued", "language": "en"}, owner.pk)] * 2
