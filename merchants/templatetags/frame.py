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
    otherwise: str = ""  # the URL's name for a member without that right; such a room is not shown to them when it is empty


# The left navigation, from the top.
ROOMS = (
    Room("overview", _("Overview"), "layout-dashboard", "see"),
    Room("invoices", _("Invoices"), "file-text", "see"),
    Room("schedules", _("Recurring"), "repeat", "see"),
    Room("payers", _("Payers"), "users", "see"),
    Room("refunds", _("Refunds"), "undo-2", "see"),
    Room("messages", _("Messages"), "mail", "see"),
    Room("wallets", _("Wallets"), "wallet", "see"),
    Room("developers", _("Developers"), "code", "see"),
    Room("settings", _("Settings"), "settings", "profile", otherwise="settings_team"),
)


# The pages of the settings: the name of the URL, the word on the tab, the right it needs.
TABS = (
    ("settings", _("Business"), "profile"),
    ("settings_look", _("Branding"), "profile"),
    ("settings_invoices", _("Invoices"), "profile"),
    ("settings_reminders", _("Reminders"), "profile"),
    ("settings_tokens", _("Payments"), "profile"),
    ("settings_refunds", _("Refunds"), "profile"),
    ("settings_mail", _("Mail"), "profile"),
    ("settings_team", _("Team"), "see"),
)


@register.simple_tag(takes_context=True)
def rooms(context: RequestContext) -> list[Room]:
    """The rooms that this member may enter."""
    member = context["request"].membership
    return [room for room in ROOMS if room.otherwise or may(member, room.right)]


@register.simple_tag(takes_context=True)
def door(context: RequestContext, room: Room) -> str:
    """The way into a room, for this member."""
    request = context["request"]
    return reverse(room.key if may(request.membership, room.right) else room.otherwise, args=[request.merchant.slug])


@register.simple_tag(takes_context=True)
def settings_tabs(context: RequestContext) -> list[tuple[str, str | Promise]]:
    """The pages of the settings that this member may open: the name of the URL and the word on the tab."""
    return [(name, word) for name, word, right in TABS if may(context["request"].membership, right)]


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
