"""No word that a payer reads is bare: all of it was asked of a catalogue, and each catalogue has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import trans_real

from config import translations
from merchants import clock
from notifications.plans import TO_PAYERS
from tests.languages import pseudo
from tests.languages.everything import Shown, Teller
from tests.payments.live import no_nodes

CODES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def teller(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[tuple[Teller, pseudo.Catalogue]]:
    no_nodes(settings)

    def set_clock(story: Any) -> None:
        monkeypatch.setattr(clock, "now", lambda: story.now)

    with pseudo.spoken() as catalogue:
        yield Teller(pseudo.CODE, set_clock, monkeypatch, catalogue.asked), catalogue


def left(shown: Shown) -> set[str]:
    return pseudo.bare_in_page(shown.text) if shown.is_page else pseudo.bare(shown.text)


def test_everything_a_payer_sees_is_translated(teller: tuple[Teller, pseudo.Catalogue]) -> None:
    tell, catalogue = teller
    everything = [*tell.pages(), *tell.papers()]
    found = {shown.name: words for shown in everything if (words := left(shown))}
    assert not found, "\n".join(f"{name}: {sorted(words)}" for name, words in found.items())
    assert len({shown.name for shown in everything}) > 100
    assert TO_PAYERS - tell.told == set()
    for code in CODES:
        missing = {words for words in catalogue.asked if not is_known(words, code)}
        assert not missing, f"{code} lacks\n" + "\n".join(sorted(missing))


def is_known(words: str, code: str) -> bool:
    """Whether a catalogue, ours or one of Django's, translates it. What is fuzzy or empty is in none."""
    known: Any = trans_real.translation(code)._catalog  # type: ignore[attr-defined]
    return known.get(words) is not None or known.get((words, 0)) is not None


def test_the_languages_are_those_of_the_catalogues() -> None:
    folders = {path.parent.parent.name.lower().replace("_", "-") for path in translations.catalogues()}
    assert folders | {"en"} == {code for code, _name in settings.LANGUAGES}
