"""Each mail in each language, beside the files in goldens/. `python -m tests.goldens` writes those anew; a person looks at them."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser

from notifications.plans import TEMPLATES, TO_PAYERS
from tests.goldens import stories as goldens

pytestmark = pytest.mark.django_db


def compare(made: dict[str, str]) -> None:
    for name, text in made.items():
        path = goldens.FOLDER / name
        if os.environ.get(goldens.WRITE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{name} is missing: python -m tests.goldens writes it"
        assert text == path.read_text(), f"{name} says something else: look at it, then python -m tests.goldens"


def test_every_kind_of_mail_has_its_story() -> None:
    assert {name.partition("-")[0] for name in goldens.STORIES} == set(TEMPLATES)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", goldens.STORIES)
def test_a_mail_says_what_its_files_say(name: str) -> None:
    compare(goldens.told(name))


@pytest.mark.sqlite
@pytest.mark.parametrize("name", goldens.ACCOUNT)
def test_a_mail_about_an_account_says_what_its_files_say(name: str) -> None:
    compare(goldens.of_account(name))


@pytest.mark.sqlite
def test_no_file_lies_about_that_no_mail_has() -> None:
    kept = {str(path.relative_to(goldens.FOLDER)).rpartition(".")[0] for path in goldens.FOLDER.rglob("*.*")}
    payers = {name for name in goldens.STORIES if name.partition("-")[0] in TO_PAYERS}
    wanted = {f"en/{name}" for name in goldens.STORIES} | {f"account/{name}" for name in goldens.ACCOUNT}
    assert kept == wanted | {f"{language}/{name}" for name in payers for language in goldens.LANGUAGES}


@pytest.mark.sqlite
def test_every_mail_that_allauth_may_send_is_among_them() -> None:
    folders = [goldens.FOLDER.parents[2] / "templates" / app / "email" for app in ("account", "mfa")]
    written = {path.name.removesuffix("_subject.txt") for folder in folders for path in folder.glob("*_subject.txt")}
    assert written - set(goldens.ACCOUNT) == {"email_confirmation"}  # says what that of the first sign-up says


@pytest.mark.browser
def test_every_mail_fits_a_small_phone_and_breaks_no_label(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    wrong = []
    for path in sorted(goldens.FOLDER.rglob("*.html")):
        page.goto(path.as_uri())
        too_wide, torn = page.evaluate(MEASURE)
        if too_wide > 0 or torn:
            wrong.append((str(path.relative_to(goldens.FOLDER)), too_wide, torn))
    context.close()
    assert wrong == []


# How many pixels the page is wider than the screen, and which words of its labels stand on two lines. Han may break anywhere.
MEASURE = """() => {
  const torn = [];
  for (const cell of document.querySelectorAll(".row-name, .label, .head-note, .button-link")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (walker.currentNode.parentElement.closest("bdi[dir=ltr]")) continue; // an address, or another endless word
      for (const word of walker.currentNode.data.matchAll(/(?:(?!\\p{Script=Han})\\p{L}){2,20}/gu)) {
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) torn.push(word[0]);
      }
    }
  }
  return [document.documentElement.scrollWidth - document.documentElement.clientWidth, torn];
}"""
