"""What a search looks through, kept beside each invoice: the only module that writes `Invoice.search_text`.

The first line is the invoice's own words; each line after it is something that was noted about it later (a transaction id,
an address it was paid at, what a payment brought). All of it is folded (NFC, casefold), and so is what people type: one index finds either.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat

from invoicing.models import Invoice
from invoicing.money import digits, plain

MOST_WORDS = 8
LONGEST_WORD = 120  # a transaction id or an address is found whole
LONG_ENOUGH = 4  # letters and digits in a row, for the index to be asked for them alone
OWN = ("number", "title", "payer_name", "payer_email", "payer_reference")

_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_GROUPED_BY_POINTS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+")
_RUN = re.compile(r"[^\W_]+")
_AS_READ = Func(F("search_text"), template="(%(expressions)s || '')", output_field=TextField())  # the same text, which no index has
_WITH_COMMA = re.compile(r"[0-9]+,[0-9]{1,3}")


def folded(text: str) -> str:
    """`text` on one line, without what case and the ways of composing a letter make different."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


def own_words(invoice: Invoice) -> str:
    """The first line: number, title, payer, reference, and the total without grouping ('1800.00')."""
    written = [getattr(invoice, column) for column in OWN]
    return folded(" ".join([*written, plain(invoice.total_minor, digits(invoice.currency))]))


def refresh(invoice: Invoice) -> None:
    """Write the invoice's own words anew; what was noted stays."""
    noted = Invoice.objects.values_list("search_text", flat=True).get(pk=invoice.pk).partition("\n")[2]
    invoice.search_text = "\n".join([own_words(invoice), noted]) if noted else own_words(invoice)
    Invoice.objects.filter(pk=invoice.pk).update(search_text=invoice.search_text)


def note(invoice: Invoice, text: str) -> None:
    """Let `invoice` be found by `text` too (a txid, an address). Noted twice, it stands there once."""
    line = folded(text)
    if line:
        without = Invoice.objects.filter(pk=invoice.pk).exclude(search_text__contains=line)
        without.update(search_text=Concat(F("search_text"), Value("\n" + line)))


def note_amount(invoice: Invoice, minor: int | None) -> None:
    """Let it be found by what a payment brought, in its currency and written as its total is ('50.25'); not for nothing."""
    if minor:
        note(invoice, plain(minor, digits(invoice.currency)))


def words(typed: str) -> list[str]:
    """What was typed, word by word; at most eight."""
    return [word[:LONGEST_WORD] for word in folded(typed.replace("\0", "")).split()[:MOST_WORDS]]


def _spellings(word: str) -> Iterable[str]:
    """The word, and an amount as it is stored: '1,800.00', '1.800,00' and '1800,00' are '1800.00'."""
    yield word
    if _GROUPED.fullmatch(word):
        yield word.replace(",", "")
    elif _GROUPED_BY_POINTS.fullmatch(word):
        yield word.replace(".", "").replace(",", ".")
    elif _WITH_COMMA.fullmatch(word):
        yield word.replace(",", ".")


def _telling(word: str) -> str:
    """The part of a word that names the fewest invoices: its longest run of letters and digits, best one with digits."""
    return max(_RUN.findall(word), key=lambda run: (any(map(str.isdigit, run)), len(run)), default="")


def _is_number(word: str) -> bool:
    run = _telling(word)
    return len(run) >= LONG_ENOUGH and any(map(str.isdigit, run))


def _holds(spelling: str, *, by_index: bool) -> Q:
    """That the text holds `spelling`.

    PostgreSQL goes through the lists of all the trigrams it is asked for, and those of 'inv' name nearly every invoice. So
    of 'inv-001234' the index is asked for '001234' alone, and the rows for the rest (25 ms or 2 ms, at 1,000,000). A word
    is divided where pg_trgm divides it.
    """
    telling = _telling(spelling)
    if not by_index:
        return Q(read_text__contains=spelling)
    if len(telling) < LONG_ENOUGH or telling == spelling:
        return Q(search_text__contains=spelling)
    return Q(search_text__contains=telling) & Q(read_text__contains=spelling)


def among(found: QuerySet[Invoice], typed: str) -> QuerySet[Invoice]:
    """Those of `found` whose text holds every word of `typed`. Beside a number, names are looked for in the rows alone."""
    asked = words(typed)
    numbers = [word for word in asked if any(_is_number(spelling) for spelling in _spellings(word))]
    for word in asked:
        one = Q()
        for spelling in _spellings(word):
            one |= _holds(spelling, by_index=not numbers or word in numbers)
        found = found.alias(read_text=_AS_READ).filter(one)
    return found
