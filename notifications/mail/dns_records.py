"""What the domain name system says of a sender: may our server send for it (SPF), is it signed (DKIM), what becomes of
forgeries (DMARC), and can anything be mailed back (MX)."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.resolver
from django.utils.translation import gettext as _

from notifications.mail.checking import Finding, bad, good, note

# Under these the keys of most servers and providers are found; there is no way to ask for a list of them.
SELECTORS = (
    "default",
    "mail",
    "dkim",
    "s1",
    "s2",
    "selector1",
    "selector2",
    "google",
    "k1",
    "k2",
    "k3",
    "pm",
    "mx",
    "smtp",
    "key1",
    "fm1",
    "mailjet",
    "brevo1",
)


class Silent(Exception):
    """The name servers did not answer."""


def records(resolver: dns.resolver.Resolver, domain: str, *, selectors: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Findings about mails from addresses at `domain`. `selectors` are those of its DKIM keys, where they are known."""
    try:
        yield _spf(resolver, domain)
        yield _dkim(resolver, domain, selectors)
        yield _dmarc(resolver, domain)
        yield _mx(resolver, domain)
    except Silent:
        yield bad(
            _("The name servers do not answer, so nothing can be said of %(domain)s. Try again, or look at this machine’s resolver.")
            % {"domain": domain}
        )


def _texts(resolver: dns.resolver.Resolver, name: str) -> list[str] | None:
    """The TXT records of `name`; None when there is no such name."""
    try:
        found = resolver.resolve(name, "TXT")
    except dns.resolver.NXDOMAIN:
        return None
    except dns.resolver.NoAnswer:
        return []
    except dns.exception.DNSException as error:
        raise Silent from error
    return [b"".join(record.strings).decode(errors="replace") for record in found]


def _spf(resolver: dns.resolver.Resolver, domain: str) -> Finding:
    found = [text for text in _texts(resolver, domain) or [] if text.lower().split(" ")[0] == "v=spf1"]
    told = {"domain": domain, "record": found[0] if found else ""}
    if not found:
        words = _("SPF: %(domain)s does not say which servers may send for it. Add a TXT record such as: v=spf1 a mx include:… ~all")
        return bad(words % told)
    if len(found) > 1:
        return bad(_("SPF: %(domain)s has several records, which counts as none. Join them into one.") % told)
    last = found[0].lower().split()[-1]
    if last in ("+all", "all"):
        return bad(_("SPF: %(domain)s lets every server of the world send for it (%(record)s). End it with ~all.") % told)
    if not (last.endswith("all") or "redirect=" in last):
        return note(_("SPF: %(domain)s does not say what to think of other servers (%(record)s). End it with ~all.") % told)
    return good(_("SPF: %(domain)s names its servers: %(record)s. See that the mail server is among them.") % told)


def _dkim(resolver: dns.resolver.Resolver, domain: str, selectors: tuple[str, ...]) -> Finding:
    told = {"domain": domain}
    if _texts(resolver, f"_domainkey.{domain}") is None:
        return bad(
            _("DKIM: %(domain)s has no keys, so no mail of it can be signed. Let the mail server make one, and add the record that it shows.") % told
        )
    for selector in selectors or SELECTORS:
        keys = [text for text in _texts(resolver, f"{selector}._domainkey.{domain}") or [] if "p=" in text]
        if keys and "".join(keys[0].split()).rpartition("p=")[2].strip(";") == "":
            return bad(
                _("DKIM: the key %(selector)s of %(domain)s is withdrawn (p= is empty). Sign with another one.") % {**told, "selector": selector}
            )
        if keys:
            return good(_("DKIM: %(domain)s has the key %(selector)s. See that the mail server signs with it.") % {**told, "selector": selector})
    if selectors:
        missing = {**told, "selector": ", ".join(selectors)}
        return bad(_("DKIM: %(domain)s has no key under %(selector)s. Look at the name that the mail server signs with.") % missing)
    return note(
        _("DKIM: %(domain)s has keys, under a name we cannot guess. Run it again with --selector NAME, the name that the mail server signs with.")
        % told
    )


def _dmarc(resolver: dns.resolver.Resolver, domain: str) -> Finding:
    labels = domain.split(".")
    for at in range(max(len(labels) - 1, 1)):  # the domain, else those above it
        holder = ".".join(labels[at:])
        found = [text for text in _texts(resolver, f"_dmarc.{holder}") or [] if text.lower().replace(" ", "").startswith("v=dmarc1")]
        if found:
            return _policy(holder, found[0])
    words = _(
        "DMARC: %(domain)s does not say what becomes of forged mails, which some receivers hold "
        "against it. Add at _dmarc.%(domain)s: v=DMARC1; p=none; rua=mailto:you@%(domain)s"
    )
    return bad(words % {"domain": domain})


def _policy(domain: str, record: str) -> Finding:
    tags = dict(part.strip().split("=", 1) for part in record.split(";") if "=" in part)
    told = {"domain": domain, "policy": tags.get("p", "").strip().lower()}
    if told["policy"] not in ("none", "quarantine", "reject"):
        return bad(_("DMARC: the record of %(domain)s names no policy. Write p=none, p=quarantine or p=reject.") % told)
    if told["policy"] == "none":
        return good(
            _("DMARC: %(domain)s only watches (p=none). Once SPF and DKIM are right for all your mails, p=quarantine keeps forgeries away.") % told
        )
    return good(_("DMARC: forged mails of %(domain)s are turned away (p=%(policy)s). Ours pass if SPF or DKIM is right for the same domain.") % told)


def _mx(resolver: dns.resolver.Resolver, domain: str) -> Finding:
    for kind in ("MX", "A", "AAAA"):
        try:
            if resolver.resolve(domain, kind):
                return good(_("Answers and bounces can be mailed to %(domain)s.") % {"domain": domain})
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            continue
        except dns.exception.DNSException as error:
            raise Silent from error
    return bad(
        _("Nothing can be mailed to %(domain)s: bounces are lost, and some receivers refuse such senders. Add an MX record.") % {"domain": domain}
    )
