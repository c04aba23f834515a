"""Mails about the people of a business: an invitation, and what every owner is told of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing.money import format_minor
from merchants import languages, team
from merchants.models import Event, Invitation, LatePolicy, Merchant, Role
from merchants.team import Standing
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.models import Delivery
from notifications.transports import Withheld

MAY: dict[str, str | Promise] = {
    Role.VIEWER: _l("As a viewer you see everything of this business, and change nothing."),
    Role.MANAGER: _l("As a manager you write and send invoices, and look after payers, payments and refunds."),
    Role.OWNER: _l("As an owner you decide on everything: wallets, webhooks, the late policy, prices, the refund limit and the team too."),
}
OVER: dict[Standing, str | Promise] = {
    Standing.ACCEPTED: _l("The invitation was accepted before this could be sent."),
    Standing.WITHDRAWN: _l("The invitation was withdrawn before this could be sent."),
    Standing.EXPIRED: _l("The invitation expired before this could be sent."),
}


@dataclass(frozen=True)
class MerchantMatter(Matter):
    merchant: Merchant
    event: Event


def about(delivery: Delivery, now: datetime) -> MerchantMatter:
    merchant = Merchant.objects.select_related("logo").get(pk=delivery.merchant_id)
    return MerchantMatter(delivery, Letterhead.of_merchant(merchant), now, languages.of_members(), merchant, delivery.origin)


def context(matter: MerchantMatter) -> dict[str, Any]:
    return KINDS[matter.delivery.template](matter)


# --- one function per kind --------------------------------------------------------------------------------------
def invitation(matter: MerchantMatter) -> dict[str, Any]:
    """To who is invited: by whom, to what, as what. The link is made here and kept nowhere."""
    told = matter.event.facts
    found = Invitation.objects.filter(pk=told["invitation"], merchant=matter.merchant).first()
    if found is None or found.expires_at.isoformat() != told["expires_at"]:
        raise Withheld(_("A newer invitation has taken its place."))
    standing = team.standing(found, matter.now)
    if standing != Standing.OPEN:
        raise Withheld(str(OVER[standing]))
    return {
        "who": told["who"],
        "role": found.get_role_display(),
        "may": MAY[found.role],
        "email": found.email,
        "until": matter.moment(found.expires_at),
        "join_url": link("invitation", team.link_token(found)),
    }


def owners_told(matter: MerchantMatter) -> dict[str, Any]:
    """To every owner: what was changed that only an owner may change. It has happened, so it always holds."""
    topic, sentence = SENTENCES[_news(matter.event)]
    subject, url, button = TOPICS[topic]
    facts = {"who": matter.event.actor_name or _("The system"), "business": matter.merchant.name} | matter.event.facts
    return {
        "topic": str(subject) % {"business": matter.merchant.name},
        "sentence": sentence(facts),
        "at": matter.moment(matter.event.at),
        "desk_url": link(url, matter.merchant.slug),
        "button": button,
    }


KINDS: dict[str, Callable[[MerchantMatter], dict[str, Any]]] = {"invitation": invitation, "owners_told": owners_told}


# --- what owners are told of ------------------------------------------------------------------------------------
# topic → subject, the page to look at, its button
TOPICS: dict[str, tuple[str | Promise, str, str | Promise]] = {
    "team": (_l("The team of %(business)s has changed"), "settings_team", _l("Look at the team")),
    "late": (_l("The late policy of %(business)s has changed"), "settings_invoices", _l("Look at the late policy")),
    "prices": (_l("The prices of %(business)s have changed"), "settings_tokens", _l("Look at the prices")),
    "refunds": (_l("The refund limit of %(business)s has changed"), "settings_refunds", _l("Look at the refund limit")),
    "webhooks": (_l("The webhooks of %(business)s have changed"), "developers", _l("Look at the webhooks")),
    "keys": (_l("The API secret of %(business)s has changed"), "developers_keys", _l("Look at the keys")),
    "mail": (_l("The mail server of %(business)s has changed"), "settings_mail", _l("Look at the mail settings")),
    "failing": (_l("The mail server of %(business)s does not answer"), "settings_mail", _l("Look at the mail settings")),
    "readdressed": (_l("A payer of %(business)s is mailed at another address"), "invoices", _l("Look at the invoices")),
    "wallets": (_l("Where %(business)s receives money has changed"), "wallets", _l("Look at the wallets")),
}

# kind of event → topic, sentence
SENTENCES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "member.joined": ("team", lambda told: _("%(name)s (%(email)s) has joined as %(role)s.") % (_member(told) | {"role": _role(told["role"])})),
    "member.role_changed": (
        "team",
        lambda told: (
            _("%(who)s changed the role of %(name)s from %(was)s to %(role)s.")
            % (_member(told) | {"was": _role(told["was"]), "role": _role(told["role"])})
        ),
    ),
    "member.removed": ("team", lambda told: _("%(who)s took %(name)s out of the team.") % _member(told)),
    "member.left": ("team", lambda told: _("%(name)s has left the team.") % _member(told)),
    "merchant.handed_over": ("team", lambda told: _handed_over(told)),
    "merchant.changed": (
        "late",
        lambda told: (
            _("%(who)s changed what is done with late payments. For invoices issued from now on: %(policy)s.")
            % {"who": told["who"], "policy": LatePolicy(told["late_policy"]).label}
        ),
    ),
    "merchant.changed prices": ("prices", lambda told: _prices(told)),
    "merchant.changed refunds": ("refunds", lambda told: _refund_limit(told)),
    "endpoint.added": ("webhooks", lambda told: _("%(who)s added a webhook endpoint at %(host)s.") % _endpoint(told)),
    "endpoint.changed": ("webhooks", lambda told: _("%(who)s changed where webhooks go: to %(host)s.") % _endpoint(told)),
    "endpoint.secret_rotated": ("webhooks", lambda told: _("%(who)s made a new secret for the webhooks to %(host)s.") % _endpoint(told)),
    "endpoint.paused": ("webhooks", lambda told: _("%(who)s paused the webhooks to %(host)s.") % _endpoint(told)),
    "endpoint.resumed": ("webhooks", lambda told: _("%(who)s let the webhooks to %(host)s go on.") % _endpoint(told)),
    "endpoint.enabled": ("webhooks", lambda told: _("%(who)s switched the webhooks to %(host)s on again.") % _endpoint(told)),
    "endpoint.removed": ("webhooks", lambda told: _("%(who)s removed the webhook endpoint at %(host)s.") % _endpoint(told)),
    "endpoint.disabled": ("webhooks", lambda told: _switched_off(told)),
    "application.secret_made": (
        "keys",
        lambda told: _("%(who)s made a new API secret for %(app_id)s. The one before it opens nothing any more.") % told,
    ),
    "mail_server.saved": ("mail", lambda told: _("%(who)s set up the mail server %(server)s. It is off until it is tested and switched on.") % told),
    "mail_server.on": (
        "mail",
        lambda told: _("%(who)s switched the mail server %(server)s on. Mails to payers leave through it, from %(sender)s.") % told,
    ),
    "mail_server.off": ("mail", lambda told: _("%(who)s switched the mail server %(server)s off. Mails to payers leave through this site.") % told),
    "mail_server.removed": ("mail", lambda told: _("%(who)s removed the mail server %(server)s. Mails to payers leave through this site.") % told),
    "mail_server.failing": (
        "failing",
        lambda told: _("The mail server %(server)s has not answered for a day, and mails to payers wait. The last it said: %(answer)s") % told,
    ),
    "invoice.recipients_changed": (
        "readdressed",
        lambda told: (
            _(
                "%(who)s changed where the mails of %(name)s go: from %(was)s to %(main)s. There is money "
                "on it, and mails about a refund go there too."
            )
            % told
        ),
    ),
    "wallet.connected": (
        "wallets",
        lambda told: _("%(who)s connected %(wallet)s (%(shows)s). Invoices on %(networks)s are paid there from now on.") % told,
    ),
    "wallet.replaced": (
        "wallets",
        lambda told: (
            _("%(who)s replaced %(old)s (%(was)s) by %(wallet)s (%(shows)s). Invoices on %(networks)s are paid there from now on.")
            % (told | {"old": told["before"]["wallet"], "was": told["before"]["shows"]})
        ),
    ),
    "wallet.retired": (
        "wallets",
        lambda told: _("%(who)s retired %(wallet)s (%(shows)s). Nobody can pay on %(networks)s any more. Its addresses stay watched.") % told,
    ),
}


def _news(event: Event) -> str:
    """The key of SENTENCES: settings have one kind of event for all of them, and what it names says which."""
    for topic, fact in (("prices", "spread_e4"), ("refunds", "refund_limit_minor")):
        if fact in event.facts:
            return f"{event.kind} {topic}"
    return event.kind


def _prices(told: dict[str, Any]) -> str:
    names = {"who": told["who"], "spread": (Decimal(told["spread_e4"]) / 10_000).normalize().__format__("f")}
    if told["stable_at_par"]:
        return _("%(who)s changed how quotes are priced. From now on: a stablecoin is one of its currency, and the spread is %(spread)s %%.") % names
    return _("%(who)s changed how quotes are priced. From now on: a stablecoin is what the market pays, and the spread is %(spread)s %%.") % names


def _refund_limit(told: dict[str, Any]) -> str:
    minor, currency = told["refund_limit_minor"], told["refund_limit_currency"]
    if minor is None:
        return _("%(who)s changed who approves refunds. From now on: none needs a second person.") % {"who": told["who"]}
    limit = f"{format_minor(minor, currency)} {currency}"
    words = _("%(who)s changed who approves refunds. From now on: above %(limit)s, all refunds of one invoice together, it takes a second person.")
    return words % {"who": told["who"], "limit": limit}


def _role(role: str) -> str:
    return str(Role(role).label).lower()


def _member(told: dict[str, Any]) -> dict[str, str]:
    return {"who": told["who"], "name": told["member"]["name"], "email": told["member"]["email"]}


def _handed_over(told: dict[str, Any]) -> str:
    names = {"who": told["who"], "name": told["to"]["name"], "role": _role(told["giver_role"])}
    if told["giver_role"] == Role.OWNER:
        return _("%(who)s made %(name)s an owner.") % names
    return _("%(who)s handed the business over to %(name)s, who is an owner now. %(who)s is a %(role)s now.") % names


def _endpoint(told: dict[str, Any]) -> dict[str, str]:
    """The host alone: what follows it may be as good as a key."""
    return {"who": told["who"], "host": urlsplit(told["url"]).hostname or ""}


def _switched_off(told: dict[str, Any]) -> str:
    if not told["reason"]:
        return _("%(who)s switched the webhooks to %(host)s off.") % _endpoint(told)
    return _("The webhooks to %(host)s were switched off. %(reason)s") % (_endpoint(told) | {"reason": told["reason"]})
