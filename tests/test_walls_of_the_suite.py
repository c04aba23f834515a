"""What the suite promises of itself."""

import socket

import pytest

from invoicing.models import Status
from tests.conftest import OutsideWorld
from tests.factories import make_draft, publish


def test_no_test_reaches_another_machine():
    with socket.socket() as line, pytest.raises(OutsideWorld):
        line.connect(("192.0.2.1", 80))


def test_no_test_asks_for_a_name():
    with pytest.raises(socket.gaierror):
        socket.create_connection(("quittance.example", 80), timeout=1)


def test_a_draft_of_the_factory_can_be_published(merchant, now):
    invoice = publish(make_draft(merchant, [("Logo and wordmark", "1", "1800.00", "23")]), now)
    assert (invoice.status, invoice.number, invoice.total_minor, invoice.tax_minor) == (Status.OPEN, "INV-000001", 221400, 41400)
