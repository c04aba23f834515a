"""Who may do what; the whole urlconf is walked in tests/test_walls.py."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from merchants.access import RIGHTS, MerchantFromPath, may, needs
from merchants.models import Membership

ROLES = ("viewer", "manager", "owner")


@pytest.mark.parametrize(
    ("right", "allowed"),
    [
        ("see", ["viewer", "manager", "owner"]),
        ("write", ["manager", "owner"]),
        ("money", ["manager", "owner"]),
        ("profile", ["manager", "owner"]),
        ("own", ["owner"]),
    ],
)
def test_the_table_of_roles_is_that_of_the_product(right, allowed):
    assert [role for role in ROLES if may(Membership(role=role), right)] == allowed


def test_there_is_no_right_beside_the_table():
    assert set(RIGHTS) == {"see", "write", "money", "profile", "own"}
    with pytest.raises(KeyError):
        needs("anything")


def test_a_page_of_a_merchant_that_names_no_right_does_not_open(owner, merchant):
    request = RequestFactory().get("/m/harbour-pine/")
    request.user = owner
    with pytest.raises(ImproperlyConfigured):
        MerchantFromPath(lambda _request: None).process_view(request, lambda _request: None, (), {"merchant": "harbour-pine"})
