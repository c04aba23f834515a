"""Secrets at rest: encrypted, and readable across a change of keys."""

from __future__ import annotations

from typing import Any

import pytest

from merchants.secrets import SecretUnreadable, decrypt, encrypt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("plain", [SECRET, "", "naïve – 秘密", "x" * 10_000])
def test_it_comes_back_as_it_was(plain: str):
    assert decrypt(encrypt(plain)) == plain


def test_what_is_stored_does_not_show_it_and_differs_each_time():
    stored = [encrypt(SECRET), encrypt(SECRET)]
    assert [SECRET in text for text in stored] == [False, False]
    assert stored[0] != stored[1]


def test_a_new_key_in_front_opens_what_the_old_one_closed(settings: Any):
    settings.ENCRYPTION_KEYS = ["the-old-key-of-twenty"]
    stored = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = ["the-new-key-of-twenty", "the-old-key-of-twenty"]
    assert decrypt(stored) == SECRET


def test_what_is_written_after_the_change_needs_the_new_key_alone(settings: Any):
    settings.ENCRYPTION_KEYS = ["the-new-key-of-twenty", "the-old-key-of-twenty"]
    stored = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = ["the-new-key-of-twenty"]
    assert decrypt(stored) == SECRET
    settings.ENCRYPTION_KEYS = ["the-old-key-of-twenty"]
    with pytest.raises(SecretUnreadable):
        decrypt(stored)


def test_without_its_key_a_secret_says_what_is_missing(settings: Any):
    settings.ENCRYPTION_KEYS = ["the-old-key-of-twenty"]
    stored = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = ["the-new-key-of-twenty"]
    with pytest.raises(SecretUnreadable, match="ENCRYPTION_KEYS no longer lists"):
        decrypt(stored)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-4] + "AAAA",
        lambda text: text[:20],
        lambda text: "",
        lambda text: "not a token",
        lambda text: text[:30] + ("B" if text[30] == "A" else "A") + text[31:],
    ],
)
def test_a_damaged_secret_is_refused_and_never_guessed(damage: Any):
    with pytest.raises(SecretUnreadable):
        decrypt(damage(encrypt(SECRET)))
