"""How fast messages leave, and that a slow receiver or a merchant with many messages holds up nobody else."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection, transaction

from merchants import clock
from merchants.models import Merchant
from notifications import courier, fanout
from notifications.mail import emails
from notifications.models import Delivery, Endpoint
from notifications.transports.message import build
from notifications.webhooks import endpoints
from tests.bench.measuring import CLEAN, MAIN, bound, copy, drop, milliseconds, say, settle_down, use
from tests.factories import make_draft, make_merchant, make_user, publish
from tests.sinks import Answer, WebSink
from tests.stack import free_port

MAILS, HOOKS = 400, 400
BESIDE = 1.5  # the delay of a healthy endpoint while ten dead ones are tried, over its delay alone
SHARE = 3.0  # the delay of a merchant's one mail beside another's 50,000, each having one in turn, over its delay alone
BACKLOG = 50_000

# A sender in a process of its own, as a second worker would be.
SENDER = """
import sys, django
django.setup()
from django.conf import settings
from notifications import courier
settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = 'django.core.mail.backends.smtp.EmailBackend', '127.0.0.1', int(sys.argv[1])
settings.DATABASES['default']['NAME'] = sys.argv[2]
print('ready', flush=True)
sys.stdin.readline()
courier.keep_sending('email', seconds=60)
"""


class _Taker:
    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:
        self.taken += 1
        return "250 Kept"


@contextlib.contextmanager
def _mail_server() -> Iterator[_Taker]:
    """A sink that keeps nothing; the installation's mails go there."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # it writes a line for each command
    taker, port = _Taker(), free_port()
    controller = Controller(taker, hostname="127.0.0.1", port=port)
    controller.start()
    before = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", port
    try:
        yield taker
    finally:
        settings.EMAIL_BACKEND = before
        controller.stop()


_names = itertools.count()


def _merchant() -> Merchant:
    number = next(_names)
    return make_merchant(make_user(f"teller{number}@example.com"), slug=f"telling-{number}", daily_mail_limit=1_000_000)


def _issue(merchant: Merchant, count: int, now: datetime) -> None:
    for _invoice in range(count):
        publish(make_draft(merchant, now=now, due_at=now + timedelta(days=30)), now=now)
    while fanout.run(now).events:
        pass


def mails() -> None:
    with _mail_server():
        merchant, now = _merchant(), clock.now()
        _issue(merchant, MAILS, now)
        waiting = Delivery.objects.filter(merchant=merchant, channel="email")
        first = waiting.select_related("merchant", "event", "invoice").first()
        assert first
        render, _p95 = milliseconds(lambda: build(first, emails.write(first, now=now), now=now).message().as_bytes(), rounds=50)
        bare = _bare_smtp(build(first, emails.write(first, now=now), now=now).message().as_bytes(linesep="\r\n"))
        began = time.perf_counter()
        courier.keep_sending("email", seconds=120)
        one = MAILS / (time.perf_counter() - began)
        assert waiting.filter(status="sent").count() == MAILS
        two = _with_two(merchant)
        say("mails/s from the outbox to an SMTP sink, 1 worker", f"{one:.0f} /s; rendering alone {1000 / render:.0f} /s; bare SMTP {bare:.0f} /s")
        say("mails/s, 2 workers on this machine's cores", f"{two:.0f} /s ({two / one:.1f} times one)")
        began = time.perf_counter()
        _issue(merchant, 1, clock.now())
        courier.round_of("email", now=clock.now())
        say("one invoice from 'issue' to the SMTP sink", f"{(time.perf_counter() - began) * 1000:.0f} ms")


def _bare_smtp(raw: bytes) -> float:
    with smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT) as line:
        began = time.perf_counter()
        for _mail in range(MAILS):
            line.sendmail("quittance@quittance.example", ["ana@duarte.example"], raw)
        return MAILS / (time.perf_counter() - began)


def _with_two(merchant: Merchant) -> float:
    """Two processes, both ready before either begins."""
    _issue(merchant, MAILS, clock.now())
    command = [sys.executable, "-c", SENDER, str(settings.EMAIL_PORT), connection.settings_dict["NAME"]]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True) for _number in range(2)]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    seconds = time.perf_counter() - began
    assert not Delivery.objects.filter(merchant=merchant, channel="email").exclude(status="sent").exists()
    return MAILS / seconds


def webhooks() -> None:
    with WebSink() as sink:
        merchants = [_merchant() for _number in range(8)]
        now = clock.now()
        for merchant in merchants:
            _endpoint(merchant, sink.url)
            _issue(merchant, HOOKS // len(merchants), now)
        began = time.perf_counter()
        courier.keep_sending("webhook", seconds=120)
        rate = HOOKS / (time.perf_counter() - began)
        assert Delivery.objects.filter(merchant__in=merchants, channel="webhook", status="sent").count() == HOOKS
        bare = _bare_http(sink.url)
        say("webhooks/s to 8 endpoints, 1 worker", f"{rate:.0f} /s; bare POSTs, a connection each {bare:.0f} /s")


def _bare_http(url: str) -> float:
    import requests

    began = time.perf_counter()
    for _hook in range(HOOKS):
        requests.post(url, data=b"{}", timeout=5)
    return HOOKS / (time.perf_counter() - began)


def _endpoint(merchant: Merchant, url: str) -> Endpoint:
    owner = merchant.members.first()
    assert owner
    return endpoints.add(merchant, url=url, kinds=["invoice.issued"], by=owner, now=clock.now())[0]


def beside_dead_ones() -> None:
    """Ten endpoints that never answer, with forty messages each; and a healthy one, that one message after the other is made for."""
    with WebSink() as healthy, WebSink() as dead:
        merchant = _merchant()
        _endpoint(merchant, healthy.url)
        alone = _delays(merchant)
        dead.answer = Answer(status=500, after_seconds=18)
        for _number in range(10):
            other = _merchant()
            _endpoint(other, dead.url)
            _issue(other, 40, clock.now())
        Delivery.objects.filter(channel="email").delete()
        beside = _delays(merchant)
        tried = len(dead.all())
    say("a webhook's delay alone, and beside ten dead endpoints, p50", f"{alone:.0f} ms, {beside:.0f} ms ({tried} requests stalled meanwhile)")
    bound("  the one over the other", beside / alone, BESIDE)


def _delays(merchant: Merchant, count: int = 30) -> float:
    """Milliseconds from the row to the answer written down, in the middle of `count`, while a sender works."""
    command = [sys.executable, "-c", SENDER.replace("'email', seconds=60", "'webhook', seconds=13").replace("courier.keep_sending", LOOP), "25"]
    command.append(connection.settings_dict["NAME"])
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True)
    assert worker.stdin
    assert worker.stdout
    worker.stdout.readline()
    worker.stdin.write("go\n")
    worker.stdin.flush()
    time.sleep(1.5)  # by then the dead ones have what they get
    for _number in range(count):
        _issue(merchant, 1, clock.now())
        time.sleep(0.1)
    time.sleep(1)
    worker.kill()
    worker.communicate()
    rows = Delivery.objects.filter(merchant=merchant, channel="webhook", status="sent").order_by("-id")[:count]
    return statistics.median((row.sent_at - row.created_at).total_seconds() * 1000 for row in rows if row.sent_at)


# A worker that is woken again as soon as it has nothing to do.
LOOP = "import time; until = time.monotonic() + 13\nwhile time.monotonic() < until:\n    time.sleep(0.02); courier.keep_sending"


def behind_many() -> None:
    """One merchant with BACKLOG mails waiting, another with a single one."""
    with _mail_server():
        crowd, quiet = _merchant(), _merchant()
        alone = statistics.median(_one_mail(quiet) for _round in range(10))
        _issue(crowd, 1, clock.now())
        pattern = Delivery.objects.get(merchant=crowd, channel="email")
        _fill(pattern)
        settle_down()
        claim, _p95 = milliseconds(lambda: _choose(), rounds=20)
        behind = statistics.median(_one_mail(quiet) for _round in range(10))
    say(f"choosing whose mail is next among {BACKLOG:,} waiting, p50", f"{claim:.1f} ms")
    say("a merchant's one mail alone, and beside them, p50", f"{alone:.0f} ms, {behind:.0f} ms")
    bound("  the one over the other", behind / alone, SHARE)


def _choose() -> None:
    from notifications import turns

    with transaction.atomic():
        turns.mails(turns.senders(clock.now()), now=clock.now(), limit=6, busy={})


def _one_mail(merchant: Merchant) -> float:
    """Milliseconds from its issue until it is sent, in rounds of two mails."""
    began = time.perf_counter()
    _issue(merchant, 1, clock.now())
    while Delivery.objects.filter(merchant=merchant, channel="email", status="queued").exists():
        courier.round_of("email", now=clock.now(), limit=2)
    return (time.perf_counter() - began) * 1000


def _fill(pattern: Delivery) -> None:
    copies = (_copy_of(pattern, number) for number in range(BACKLOG))
    Delivery.objects.bulk_create(copies, batch_size=5000)


def _copy_of(pattern: Delivery, number: int) -> Delivery:
    values = {field.attname: getattr(pattern, field.attname) for field in Delivery._meta.concrete_fields if field.attname != "id"}
    return Delivery(**values | {"message_id": f"<{number}@bench>", "recipient": f"payer{number}@example.com"})


def telling() -> None:
    """All of it on a copy, so that what waits is no part of other figures."""
    copy("telling", of=CLEAN)
    use("telling")
    try:
        mails()
        webhooks()
        beside_dead_ones()
        behind_many()
    finally:
        use(MAIN)
        drop("telling")
