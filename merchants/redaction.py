"""What opens a page must not be read in a log: a path that is a capability is written without it."""

from __future__ import annotations

import logging
import re

# /r/<token>/…, /r/confirm/<token>/, /i/<public id>/…, /invitation/<token>/…, /unsubscribe/<token>/
SLASH = r"(?:/|%(?:25)*2[Ff])"  # a server that quotes a link may percent-encode it, once or more
LINK = re.compile(
    rf"({SLASH}(?:r{SLASH}confirm|r|i|invitation|unsubscribe){SLASH})(?!confirm{SLASH})(?:(?!{SLASH})[^\s?\"'<>]){{8,}}",
)


def redacted(text: str) -> str:
    return LINK.sub(r"\1…", text)


class WithoutLinks(logging.Filter):
    """Takes the payers' and invited people's links out of every line, whoever wrote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        short = redacted(text)
        if short != text:
            record.msg, record.args = short, None
        return True
