"""Tries the mail settings and says what is wrong."""

from __future__ import annotations

import smtplib
from argparse import ArgumentParser
from email.utils import parseaddr
from typing import Any

import dns.resolver
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management.base import BaseCommand, CommandError

from merchants.models import Merchant
from notifications.mail import checking, dns_records, mailservers

PATIENCE = 5.0  # seconds for the name servers to answer one question
MARKS = {"good": "  ok    ", "note": "  note  ", "bad": "  WRONG "}


class Command(BaseCommand):
    help = "Try the mail settings: connection, TLS, login, sender, and what the DNS says of the sender. Exits with 1 when something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--merchant", metavar="SLUG", help="the own mail server of this merchant instead of the installation's")
        parser.add_argument("--selector", action="append", default=[], help="the name of a DKIM key, as the mail server signs with it")
        parser.add_argument("--to", metavar="ADDRESS", help="send a mail there as well")
        parser.add_argument("--nameserver", metavar="ADDRESS[:PORT]", help="ask this name server instead of the machine's own")
        parser.add_argument("--no-dns", action="store_true", help="ask no name server")

    def handle(self, *args: Any, **options: Any) -> None:
        backend, sender = self._way(options["merchant"])
        self.stdout.write(f"Mails from {sender}")
        found = list(checking.connection(backend, sender=sender))
        if options["to"] and not any(finding.level == "bad" for finding in found):
            found.append(_sent(backend, sender, options["to"]))
        if not options["no_dns"]:
            found += dns_records.records(_resolver(options["nameserver"]), sender.rpartition("@")[2], selectors=tuple(options["selector"]))
        for finding in found:
            self.stdout.write(MARKS[finding.level] + finding.text)
        if wrong := sum(finding.level == "bad" for finding in found):
            raise CommandError(f"{wrong} of {len(found)} things are wrong." if wrong > 1 else f"1 of {len(found)} things is wrong.")

    def _way(self, slug: str | None) -> tuple[BaseEmailBackend, str]:
        if slug is None:
            return get_connection(), parseaddr(settings.MAIL_FROM)[1]
        merchant = Merchant.objects.filter(slug=slug).first()
        if merchant is None:
            raise CommandError(f"There is no merchant {slug}.")
        server = mailservers.of(merchant)
        if server is None:
            raise CommandError(f"{merchant} has no mail server of its own; its mails leave through the installation's. Leave --merchant out.")
        return mailservers.backend_of(server), server.sender


def _sent(backend: BaseEmailBackend, sender: str, to: str) -> checking.Finding:
    by_itself = {"Auto-Submitted": "auto-generated"}
    mail = EmailMessage("Quittance can send mails", "This is a test of check_mail.", sender, [to], headers=by_itself, connection=backend)
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        return checking.bad(f"The mail to {to} was refused: {error}")
    return checking.good(f"A mail to {to} was taken. Look whether it arrives, and in which folder.")


def _resolver(address: str | None) -> dns.resolver.Resolver:
    if address is None:
        resolver = dns.resolver.Resolver()
    else:
        host, _colon, port = address.partition(":")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], int(port or 53)
    resolver.lifetime = PATIENCE
    return resolver
