from datetime import timedelta

import pytest

from notifications import backoff


def words(channel: str) -> list[str]:
    return [backoff.in_words(wait) for wait in backoff.SCHEDULE[channel]]


def test_the_schedule_of_webhooks_can_be_read_aloud() -> None:
    assert words("webhook") == ["5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h"]


def test_the_schedule_of_mails_can_be_read_aloud() -> None:
    assert words("email") == ["30 s", "2 min", "10 min", "1 h", "4 h", "12 h"]


@pytest.mark.parametrize(
    ("channel", "tries", "luck", "retry_after", "expected"),
    [
        ("webhook", 1, 0.0, None, timedelta(seconds=5)),
        ("webhook", 2, 0.0, None, timedelta(minutes=5)),
        ("webhook", 2, 1.0, None, timedelta(minutes=5, seconds=30)),
        ("webhook", 2, -1.0, None, timedelta(minutes=4, seconds=30)),
        ("webhook", 9, 0.0, None, timedelta(hours=24)),
        ("webhook", 10, 0.0, None, None),
        ("webhook", 1, 0.0, timedelta(seconds=120), timedelta(seconds=120)),
        ("webhook", 3, 0.0, timedelta(seconds=1), timedelta(minutes=30)),
        ("webhook", 1, 0.0, timedelta(days=365), timedelta(hours=24)),
        ("email", 1, 1.0, None, timedelta(seconds=30)),
        ("email", 6, 0.0, None, timedelta(hours=12)),
        ("email", 7, 0.0, None, None),
    ],
)
def test_the_wait_after_so_many_tries(channel: str, tries: int, luck: float, retry_after: timedelta | None, expected: timedelta | None) -> None:
    assert backoff.wait(channel, tries, luck=luck, retry_after=retry_after) == expected


def test_what_is_still_to_come_after_the_next_try() -> None:
    assert [backoff.in_words(wait) for wait in backoff.waits_after("webhook", 4)] == ["5 h", "10 h", "14 h", "20 h", "24 h"]
