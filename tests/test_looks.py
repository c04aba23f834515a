"""The looks, held to looks.md: contrast computed from tokens.css, nothing inline in a page, icons and fonts that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import lucide
import pytest
from django.conf import settings
from django.core.management import call_command
from django.template import Context, Template
from django.template.loader import get_template

from invoicing import standing
from merchants import branding
from merchants.management.commands import make_fonts
from merchants.templatetags import frame

ROOT = Path(settings.BASE_DIR)
TEMPLATES = ROOT / "templates"
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text()
LIGHT, DARK, CHOSEN_DARK = ":root {", ':root:not([data-theme="light"]) {', ':root[data-theme="dark"] {'

# Mails are read by mail programs, which know no stylesheets, and are not pages of ours.
PAGES = [path for path in sorted(TEMPLATES.rglob("*.html")) if not {"emails", "email"} & set(path.relative_to(TEMPLATES).parts)]

COLOURS = ("green", "amber", "red", "cyan", "violet", "grey")
GROUNDS = ("bg", "sunken", "surface", "raised", "tint")
TEXTS = [
    *[(ink, ground) for ink in ("ink", "ink2", "ink3", "accent-ink") for ground in GROUNDS],
    *[(colour, f"{colour}-soft") for colour in COLOURS],
    *[(colour, ground) for colour in COLOURS for ground in ("bg", "surface", "tint")],
    *[("ink", f"{colour}-soft") for colour in COLOURS],
    *[(ink, "accent-soft") for ink in ("ink", "ink2", "accent-ink")],
    ("accent-on", "accent"),
    ("accent-on", "accent-hover"),
    ("toast-ink", "toast"),
]
MARKS = [*[("field", ground) for ground in ("bg", "surface", "raised")], ("bar", "surface"), ("bar-now", "surface"), ("accent-ink", "bg")]


def colours(start: str) -> dict[str, str]:
    """The custom properties of one rule of tokens.css that are colours: 'ink' → '#131A2C'."""
    rule = TOKENS.split(start, 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6});", rule))


SCHEMES = {"light": colours(LIGHT), "dark": colours(DARK)}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_is_read_on_its_ground(scheme, text, ground):
    tokens = SCHEMES[scheme]
    assert branding.contrast(tokens[text], tokens[ground]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("mark", "ground"), MARKS)
def test_borders_of_fields_and_bars_of_charts_are_seen(scheme, mark, ground):
    tokens = SCHEMES[scheme]
    assert branding.contrast(tokens[mark], tokens[ground]) >= 3


def test_white_is_read_on_the_button_that_destroys_and_on_the_discs_of_tokens():
    components = (ROOT / "static" / "css" / "components.css").read_text()
    discs = dict(re.findall(r"\.disc--(\w+) \{ background: (#[0-9A-F]{6}); \}", components))
    assert set(discs) == {"usdt", "usdc", "eth", "btc", "ltc", "pol", "bnb", "dai"}
    grounds = [*discs.values(), *(scheme[name] for scheme in SCHEMES.values() for name in ("red-fill", "red-fill-hover"))]
    assert [ground for ground in grounds if branding.contrast("#FFFFFF", ground) < 4.5] == []


def test_dark_by_choice_is_dark_by_the_system():
    assert colours(CHOSEN_DARK) == colours(DARK)
    assert colours(DARK).keys() == colours(LIGHT).keys()


def test_the_tokens_are_those_of_the_drawing():
    light, dark = SCHEMES["light"], SCHEMES["dark"]
    assert (light["ink"], light["accent"], light["field"], light["sunken"]) == ("#131A2C", "#1F4FD1", "#848C9C", "#F5F6F9")
    assert (dark["ink"], dark["accent"], dark["field"], dark["bg"]) == ("#ECEFF5", "#3F69E4", "#687286", "#0F131B")


def test_a_brand_overrides_the_five_accents_of_the_tokens_in_every_scheme():
    sheet = branding.stylesheet("#0B5563")
    accents = {name for name in SCHEMES["light"] if name.startswith("accent")}
    assert accents == {"accent", "accent-hover", "accent-on", "accent-ink", "accent-soft"}
    for start in (LIGHT, DARK, CHOSEN_DARK):
        assert set(re.findall(r"--([\w-]+):", sheet.split(start, 1)[1].split("}", 1)[0])) == accents


# --- strict content security policy -----------------------------------------------------------------------------
def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(TEMPLATES)) for path in paths]


def test_there_are_pages_to_look_at():
    assert {"base.html", "account/login.html", "mfa/index.html", "404.html"} <= set(named(PAGES))


def test_no_page_has_a_style_of_its_own():
    assert named([path for path in PAGES if re.search(r"<style\b|\sstyle\s*=", path.read_text(), re.I)]) == []


def test_no_page_has_a_script_of_its_own():
    """Data in <script type="application/json"> is no script: no browser runs it."""
    wrong = re.compile(r"<script(?![^>]*\ssrc=)(?![^>]*type=\"application/json\")|\son[a-z]+\s*=\s*[\"']|javascript:", re.I)
    assert named([path for path in PAGES if wrong.search(path.read_text())]) == []


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name)
def test_no_stylesheet_shouts_or_fetches_from_elsewhere(path):
    text = path.read_text()
    assert ("!important" in text) == (path.name == "email.css")  # mails: nothing else reaches past inlined styles
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//", text) == []


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name)
def test_what_moves_moves_by_a_token_and_stands_still_for_whoever_asks_for_it(path):
    moves = re.findall(r"\b(?:transition|animation)(?:-duration)?:([^;]+);", path.read_text())
    assert [move for move in moves if re.search(r"\d(?:ms|s)\b", move)] == []
    reduced = TOKENS.partition("(prefers-reduced-motion: reduce)")[2]
    assert [name for move in moves for name in re.findall(r"var\((--\w+)\)", move) if f"{name}: 0s;" not in reduced] == []


def test_no_module_imports_another_or_writes_html_from_text():
    for path in sorted((ROOT / "static" / "js").glob("*.js")):
        assert re.findall(r"^\s*import\b|document\.write|\beval\(", path.read_text(), re.M) == [], path.name


# --- icons, templates, words --------------------------------------------------------------------------------------
def icons() -> set[str]:
    found = {name for path in TEMPLATES.rglob("*.html") for name in re.findall(r"{%\s*icon \"([^\"]+)\"", path.read_text())}
    badges = {badge.icon for badge in vars(standing).values() if isinstance(badge, standing.Badge)}
    return found | badges | {room.icon for room in frame.ROOMS}


@pytest.mark.parametrize("name", sorted(icons()))
def test_every_icon_is_drawn(name):
    drawn = Template("{% icon name 16 %}").render(Context({"name": name}))
    assert drawn.startswith("<svg") and 'aria-hidden="true"' in drawn
    assert lucide._load_icon(name) is not None


@pytest.mark.parametrize("name", named(sorted(TEMPLATES.rglob("*.html"))))
def test_every_template_can_be_read(name):
    get_template(name)


def test_what_pages_say_is_calm():
    """No exclamation, no 'please', 'successfully', 'oops', in pages and in the messages after a deed."""
    said = re.compile(r"{%\s*(?:blocktranslate|translate|trans)\b[^%]*%}[^{]*|\"[^\"]*\"")
    wrong = re.compile(r"\b(?:please|successfully|oops)\b|[a-z]!(?:\s|\"|<|$)", re.I)
    files = [*PAGES, *TEMPLATES.glob("*/messages/*.txt")]
    assert named([path for path in files if any(wrong.search(words) for words in said.findall(path.read_text()))]) == []


def test_every_message_of_allauth_is_in_our_words():
    theirs = Path(importlib.import_module("allauth").__file__).parent / "templates"
    for_us = [path for app in ("account", "mfa", "usersessions") for path in (theirs / app / "messages").glob("*.txt")]
    unused = {"login_code_sent.txt", "phone_verified.txt", "phone_verification_sent.txt"}  # neither codes by mail nor phones
    assert [path.name for path in for_us if path.name not in unused and not (TEMPLATES / path.relative_to(theirs)).exists()] == []


def test_initials_are_of_the_first_and_the_last_name():
    assert [frame.initials(name) for name in ("Inês Matos", "Ana", "Jean-Luc de la Tour", "")] == ["IM", "A", "JT", ""]


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("curl/8.10", "An unknown browser"),
    ],
)
def test_a_device_is_called_by_its_browser_and_system(user_agent, words):
    assert frame.browser(user_agent) == words


# --- fonts ------------------------------------------------------------------------------------------------------
def test_the_stylesheet_asks_for_the_letters_that_the_fonts_have():
    ranges = [part.replace(" ", "") for part in re.findall(r"unicode-range: ([^;]+);", TOKENS)]
    assert ranges == [make_fonts.CORE, make_fonts.REST, make_fonts.ARABIC]


def letters(ranges: str) -> set[int]:
    ends = [part.removeprefix("U+").split("-") for part in ranges.split(",")]
    return {code for start, *end in ends for code in range(int(start, 16), int((end or [start])[0], 16) + 1)}


def test_the_two_fonts_share_no_letter_and_the_first_has_every_sign_of_money():
    assert letters(make_fonts.CORE) & letters(make_fonts.REST) == set()
    assert {ord(sign) for sign in "0123456789€₿₮ΞŁ−×≈…–’“”·→"} <= letters(make_fonts.CORE)


def test_the_fonts_are_small_are_made_once_and_again_when_one_is_gone(settings, tmp_path, capsys):
    settings.DATA_DIR = tmp_path
    call_command("make_fonts")
    made = {path.name: path for path in (tmp_path / "fonts").glob("*.woff2")}
    assert set(made) == {"inter-core.woff2", "inter-rest.woff2", "arabic.woff2"}
    assert made["inter-core.woff2"].read_bytes()[:4] == b"wOF2"
    assert made["inter-core.woff2"].stat().st_size < 60_000
    assert made["inter-rest.woff2"].stat().st_size < 110_000
    assert made["arabic.woff2"].stat().st_size < 110_000

    when = {name: path.stat().st_mtime_ns for name, path in made.items()}
    call_command("make_fonts")
    assert {name: path.stat().st_mtime_ns for name, path in made.items()} == when

    made["inter-rest.woff2"].unlink()
    call_command("make_fonts")
    assert made["inter-rest.woff2"].exists()
