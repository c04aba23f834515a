"""The demo's mail: what the file backend wrote to EMAIL_FILE_PATH, read back for a page."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

from django.conf import settings

SHOWN = 60
RULE = re.compile(rb"\n-{79}\n")  # the file backend writes it after each message
NAME = re.compile(r"(?P<stem>[0-9]{8}-[0-9]{6}-[0-9]+)-(?P<index>[0-9]{1,4})\Z")


@dataclass(frozen=True)
class Mail:
    name: str  # of its page
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["subject"] or "")

    @property
    def sender(self) -> str:
        return str(self.message["from"] or "")

    @property
    def to(self) -> str:
        return str(self.message["to"] or "")

    @property
    def reply_to(self) -> str:
        return str(self.message["reply-to"] or "")

    @property
    def at(self) -> datetime | None:
        found = getattr(self.message["date"], "datetime", None)
        return found if isinstance(found, datetime) else None

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part, able to stand alone in a frame: pictures inside it, links to the whole window."""
        html = self._part("html")
        for part in self.message.walk():
            name = str(part["content-id"] or "").strip("<>")
            if name and part.get_content_maintype() == "image":
                data = base64.b64encode(cast(bytes, part.get_payload(decode=True))).decode()
                html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{data}")
        return re.sub(r"<a\s(?![^>]*\btarget=)", '<a target="_top" ', html)

    def _part(self, kind: str) -> str:
        body = self.message.get_body(preferencelist=(kind,))
        return str(body.get_content()) if body else ""


def _folder() -> Path | None:
    path = getattr(settings, "EMAIL_FILE_PATH", None)
    return Path(path) if path and Path(path).is_dir() else None


def _messages(path: Path) -> list[EmailMessage]:
    try:
        raw = path.read_bytes()
    except OSError:  # taken away meanwhile
        return []
    parts = [part for part in RULE.split(raw) if part.strip()]
    return [message_from_bytes(part.lstrip(b"\n"), policy=policy.default) for part in parts]  # type: ignore[arg-type]


def latest(limit: int = SHOWN) -> list[Mail]:
    """The newest mails, newest first. Only as many files are opened as it takes."""
    folder = _folder()
    found: list[Mail] = []
    for path in sorted(folder.glob("*.log"), key=lambda path: (path.stat().st_mtime, path.name), reverse=True) if folder else []:
        numbered = list(enumerate(_messages(path)))
        found += [Mail(f"{path.stem}-{index}", message) for index, message in reversed(numbered)]
        if len(found) >= limit:
            break
    return found[:limit]


def read(name: str) -> Mail | None:
    """The mail of that name; None when there is none."""
    folder, match = _folder(), NAME.fullmatch(name)
    if folder is None or match is None:
        return None
    path = folder / f"{match['stem']}.log"
    messages = _messages(path)
    index = int(match["index"])
    return Mail(name, messages[index]) if index < len(messages) else None
