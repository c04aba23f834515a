"""DATABASE_URL, REDIS_URL and EMAIL_URL put real servers in the place of the embedded parts, without a change of code."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client

from config import broker
from tests import postgres
from tests.sinks import MailSink
from tests.stack import Stack, free_port

pytestmark = pytest.mark.stack

ISSUE = """
from datetime import timedelta
from merchants import clock
from merchants.models import Merchant
from invoicing.models import Invoice
from invoicing import lifecycle
fields = {'name': 'Harbour & Pine', 'email': 'studio@harbourpine.example', 'accepted_assets': ['sandbox:harbour/token:usdt']}
merchant = Merchant.objects.create(slug='hp', is_test=True, **fields)
now = clock.now()
payer = {'payer_name': 'Ana', 'payer_email': 'ana@duarte.example', 'title': 'Work'}
times = {'issue_at': now + timedelta(seconds=1), 'due_at': now + timedelta(days=1)}
draft = Invoice.objects.create(merchant=merchant, currency='EUR', total_minor=100, net_minor=100, **payer, **times)
answer = lifecycle.publish(draft, by=None, version=1, now=now).status
"""


@pytest.fixture
def database() -> Iterator[str]:
    programs = postgres.programs()
    if programs is None:
        pytest.skip(postgres.MISSING)
    server = postgres.Server(programs)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A broker of its own on a TCP port, as an operator would run one."""
    port = free_port()
    command = broker.command(tmp_path / "unused.sock", data_dir=tmp_path)
    server = subprocess.Popen(
        [command[0], "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)


def test_an_invoice_goes_out_over_a_real_database_broker_and_mail_server(database: str, redis: str) -> None:
    with MailSink() as mail, Stack(DATABASE_URL=database, REDIS_URL=redis, EMAIL_URL=mail.url) as stack:
        assert stack.ask(ISSUE) == "scheduled"
        sent = mail.to("ana@duarte.example", timeout=40)
        assert "INV-000001" in sent.subject
        assert stack.ask("from django.db import connection; answer = connection.vendor") == "postgresql"
        assert not (stack.folder / "quittance.sqlite3").exists()
        assert "broker" not in stack.said()
        assert not (stack.folder / "valkey").exists()
    with redis_client.from_url(redis) as client:
        assert client.ping()  # it is not ours to stop
