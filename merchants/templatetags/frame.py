"""Tags of the frame around pages: the rooms of the dashboard, marks of businesses and people, whether one may sign up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django import template
from django.conf import settings
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from merchants import branding
from merchants.access import may
from merchants.accounts import sign_up_is_open as is_open

register = template.Library()


@dataclass(frozen=True)
class Room:
    key: str  # the name of its URL, and `nav` in the context of its pages
    word: str | Promise
    icon: str
    right: str


# The left navigation, from the top.
ROOMS = (
    Room("overview", _("Overview"), "layout-dashboard", "see"),
    Room("invoices", _("Invoices"), "file-text", "see"),
    Room("developers", _("Developers"), "code", "see"),
    Room("settings", _("Settings"), "settings", "profile"),
)


@register.simple_tag(takes_context=True)
def rooms(context: RequestContext) -> list[Room]:
    """The rooms that this member may enter."""
    return [room for room in ROOMS if may(context["request"].membership, room.right)]


@register.simple_tag
def sign_up_is_open() -> bool:
    """Whether a stranger may create an account here now."""
    return is_open()


@register.simple_tag
def mailbox_link() -> str:
    """Where a demonstration shows the mail that it does not send; empty anywhere else."""
    return reverse("mailbox") if settings.MAILBOX_PAGE else ""


@register.filter
def text_on(color: str) -> str:
    """'#FFFFFF' or dark: what can be read on '#RRGGBB'."""
    return branding.text_on(color)


@register.filter
def initials(name: str) -> str:
    """'Inês Matos' → 'IM', for the round mark beside a name."""
    words: list[str] = re.findall(r"\w+", name)
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


# Told apart by the first word that is found: Edge calls itself Chrome, Chrome calls itself Safari, Android calls itself Linux.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"))


@register.filter
def browser(user_agent: str) -> str:
    """'Firefox on Linux', from the words a browser sends about itself."""
    name = next((shown for word, shown in BROWSERS if word in user_agent), _("An unknown browser"))
    system = next((shown for word, shown in SYSTEMS if word in user_agent), "")
    return _("%(browser)s on %(system)s") % {"browser": name, "system": system} if system else str(name)
