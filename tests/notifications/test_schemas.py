"""The schemas in docs/schemas hold for what is really posted, and say no more than that."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from merchants.models import Merchant, User
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints
from notifications.webhooks.formats import WIRES
from tests import schemas
from tests.factories import NOW
from tests.notifications import hook_stories

pytestmark = pytest.mark.django_db


def documented(name: str) -> Any:
    return json.loads((schemas.FOLDER / f"{name}.json").read_text())


def problems(schema: Any, body: Any) -> list[str]:
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in Draft202012Validator(schemas.closed(schema)).iter_errors(body)]


@pytest.fixture
def old_endpoint(merchant: Merchant, owner: User) -> Endpoint:
    return endpoints.add(merchant, url="https://hooks.example/old", format="ccpayment", by=owner, now=NOW)[0]


def test_every_type_of_event_as_it_really_happens_is_as_its_schema_says(
    merchant: Merchant, owner: User, endpoint: Endpoint, old_endpoint: Endpoint
) -> None:
    hook_stories.live(merchant, owner)
    posted = [(delivery.template, json.loads(delivery.payload)) for delivery in Delivery.objects.filter(endpoint=endpoint)]

    assert {kind for kind, _body in posted} == set(WIRES["standard"].kinds())
    assert {(kind, problem) for kind, body in posted for problem in problems(documented(kind), body)} == set()
    assert max(len(body.encode()) for body in Delivery.objects.filter(channel="webhook").values_list("payload", flat=True)) < 20_000

    old = [json.loads(delivery.payload) for delivery in Delivery.objects.filter(endpoint=old_endpoint)]
    assert {(body["order_type"], body["pay_status"]) for body in old} == {("Invoice", "success"), ("Refund", "success"), ("Refund", "failed")}
    assert {problem for body in old for problem in problems(documented(f"ccpayment.{body['order_type'].lower()}"), body)} == set()


@pytest.mark.parametrize("format", ["standard", "ccpayment"])
def test_a_test_of_every_type_is_as_its_schema_says(merchant: Merchant, owner: User, endpoint: Endpoint, old_endpoint: Endpoint, format: str) -> None:
    to = endpoint if format == "standard" else old_endpoint
    for kind in WIRES[format].kinds():
        body = json.loads(endpoints.test(to, kind=kind, by=owner, now=NOW).payload)
        name = kind if format == "standard" else f"ccpayment.{body['order_type'].lower()}"
        assert problems(documented(name), body) == []
        assert body["test"] is True


def test_the_files_are_those_that_are_written_from_the_table() -> None:
    """`python -m tests.schemas` writes them anew."""
    assert {path.name: path.read_text() for path in schemas.FOLDER.glob("*.json")} == schemas.files()


def test_each_is_a_schema_itself() -> None:
    for text in schemas.files().values():
        Draft202012Validator.check_schema(json.loads(text))


def test_a_name_too_many_a_name_too_few_and_a_number_for_an_amount_are_found(merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
    body = json.loads(endpoints.test(endpoint, kind="invoice.paid", by=owner, now=NOW).payload)
    schema = documented("invoice.paid")
    invoice = body["data"]["invoice"]

    assert problems(schema, body | {"data": {"invoice": invoice | {"total": 100}}}) == ["data.invoice.total: 100 is not of type 'string'"]
    assert len(problems(schema, body | {"data": {"invoice": invoice | {"link": "https://…"}}})) == 1
    del invoice["due"]
    assert problems(schema, body) == ["data.invoice: 'due' is a required property"]


PAGE = schemas.FOLDER.parent / "webhooks.md"


def test_the_page_names_every_type_and_every_one_it_names_exists() -> None:
    named = set(re.findall(r"`((?:invoice|payment|refund|schedule)\.[a-z_]+)`", PAGE.read_text()))
    paths = {f"{part}.{name}" for part, names in PARTS.items() for name in names}

    assert set(WIRES["standard"].kinds()) - named == set()
    assert named - set(WIRES["standard"].kinds()) - paths == set()


PARTS = {"invoice": schemas.INVOICE["properties"], "payment": schemas.PAYMENT["properties"], "refund": schemas.REFUND["properties"]}


@pytest.mark.parametrize("name", ["Invoice", "Refund"])
def test_the_page_maps_every_field_of_their_webhooks_and_no_other(name: str) -> None:
    part = PAGE.read_text().partition(f"### The {name} webhook")[2].partition("\n## ")[0].partition("\n### ")[0]
    rows = [re.findall(r"`([\w.]+)`", line.split("|")[1]) for line in part.splitlines() if line.startswith("| `")]
    mapped = {field.partition(".")[0] for row in rows for field in row}

    assert mapped == set(schemas.CCPAYMENT[f"ccpayment.{name.lower()}"]["properties"]) - {"test"}
