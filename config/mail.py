"""EMAIL_URL → settings: an SMTP server, or a mail provider's API through django-anymail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.env import env

PREFIX = "anymail+"


@dataclass(frozen=True)
class Provider:
    """What django-anymail calls a provider's settings, and the view that takes its word of bounces."""

    key: str  # the setting of the token, which stands where a URL has its user
    view: str  # in anymail.webhooks.<name>
    password: str = ""  # of the part that stands where a URL has its password
    domain: str = ""  # of the part that stands where a URL has its host


# https://anymail.dev/en/v13.1/esps/
PROVIDERS = {
    "brevo": Provider("BREVO_API_KEY", "BrevoTrackingWebhookView"),
    "mailgun": Provider("MAILGUN_API_KEY", "MailgunTrackingWebhookView", domain="MAILGUN_SENDER_DOMAIN"),
    "mailjet": Provider("MAILJET_API_KEY", "MailjetTrackingWebhookView", password="MAILJET_SECRET_KEY"),  # noqa: S106 - a name
    "postmark": Provider("POSTMARK_SERVER_TOKEN", "PostmarkTrackingWebhookView"),
    "sendgrid": Provider("SENDGRID_API_KEY", "SendGridTrackingWebhookView"),
    "sparkpost": Provider("SPARKPOST_API_KEY", "SparkPostTrackingWebhookView"),
}


def settings_of(url: str, *, events_secret: str = "") -> dict[str, Any]:
    """The settings that `url` means. `events_secret`, 'name:password', opens the address to which the provider posts bounces;
    without one there is none. ImproperlyConfigured, with a sentence, for what means nothing."""
    if not url.startswith(PREFIX):
        found: dict[str, Any] = env.email_url_config(url)
        return found
    parts = urlsplit(url)
    name = parts.scheme.removeprefix(PREFIX)
    provider = PROVIDERS.get(name)
    if provider is None:
        raise ImproperlyConfigured(f"EMAIL_URL names the mail provider {name}; known are {', '.join(PROVIDERS)}.")
    token = unquote(parts.username or "") or (unquote(parts.netloc) if not provider.domain and "@" not in parts.netloc else "")
    given = {provider.key: token, provider.password: unquote(parts.password or ""), provider.domain: parts.hostname or ""}
    given.pop("", None)
    if missing := [part for part, value in given.items() if not value]:
        raise ImproperlyConfigured(f"EMAIL_URL lacks {' and '.join(missing)}; write it as docs/operations.md shows for {name}.")
    if events_secret and (":" not in events_secret or len(events_secret) < 20):
        raise ImproperlyConfigured("MAIL_EVENTS_SECRET is a name, a colon and a password, 20 characters or more together.")
    given |= {"WEBHOOK_SECRET": events_secret} if events_secret else {}
    return {
        "EMAIL_BACKEND": f"anymail.backends.{name}.EmailBackend",
        "ANYMAIL": {**given, "REQUESTS_TIMEOUT": 20},
        "MAIL_EVENTS": f"anymail.webhooks.{name}.{provider.view}" if events_secret else "",
    }
