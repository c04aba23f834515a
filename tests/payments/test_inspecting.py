"""Looking networks over, on real nodes: what is kept of it, and how the operators' admin and /status show it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from merchants import assets
from payments import cursors, inspecting, tasks, watcher
from payments.models import Cursor
from payments.rails import Checked
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import EvmStory, live_merchant
from tests.chains.facade import Facade
from tests.factories import NOW, make_user

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

NOWHERE = "http://127.0.0.1:1"
REFUSED = "127.0.0.1:1 refused the connection."
Install = Callable[..., object]


@pytest.fixture
def install(settings: Any, tmp_path: Path) -> Install:
    return lambda *rows: evm.install(settings, tmp_path, *rows)


def look_over() -> dict[str, Checked | str]:
    return {network.id: told for network, told in inspecting.look_over(assets.catalogue().networks.values(), now=NOW)}


def kept(network: str = evm.NETWORK) -> dict[str, Any]:
    return dict(Cursor.objects.values("chain", "checked_at", "remarks").get(network=network))


class TestALook:
    def test_what_was_found_is_kept_and_reading_is_none_the_wiser(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil))
        found = look_over()[evm.NETWORK]
        assert isinstance(found, Checked)
        assert (found.source, found.chain, found.head and found.head.height, found.remarks) == (f"127.0.0.1:{anvil.port}", "31337", anvil.height, ())
        assert kept() == {"chain": "31337", "checked_at": NOW, "remarks": []}
        live_merchant()
        assert cursors.due_networks(NOW) == [evm.NETWORK]  # a look is no reading
        assert (Cursor.objects.get().height, Cursor.objects.get().read_at) == (-1, None)

    def test_a_look_beside_the_watcher_leaves_its_place_alone(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil))
        story = EvmStory(live_merchant(), anvil)
        story.blocks(3)
        own = Cursor.objects.values("height", "blocks", "read_at", "lease", "leased_until", "error").get()
        look_over()
        assert Cursor.objects.values("height", "blocks", "read_at", "lease", "leased_until", "error").get() == own

    def test_a_network_that_is_away_keeps_the_chain_it_was(self, install: Install, anvil: Anvil) -> None:
        with Facade(anvil.url) as facade:
            install(evm.network_row(anvil, urls=(facade.url,)))
            look_over()
            facade.is_down = True
            assert look_over()[evm.NETWORK] == f"{facade.url.removeprefix('http://')} broke off the connection."
        assert kept() == {"chain": "31337", "checked_at": NOW, "remarks": [f"{facade.url.removeprefix('http://')} broke off the connection."]}

    def test_what_is_mended_is_remarked_on_no_more(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil, urls=(NOWHERE,)))
        look_over()
        assert kept()["remarks"] == [REFUSED]
        install(evm.network_row(anvil))
        look_over()
        assert kept() == {"chain": "31337", "checked_at": NOW, "remarks": []}

    def test_networks_are_asked_side_by_side(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        """Each node answers only once the other has been asked."""
        meeting = threading.Barrier(2)

        def waits(method: str, params: list[Any], result: Any) -> Any:
            if method == "eth_chainId":
                meeting.wait(timeout=8)
            return result

        with Facade(anvil.url, waits) as first, Facade(other_anvil.url, waits) as second:
            install(evm.network_row(anvil, urls=(first.url,)), evm.network_row(other_anvil, urls=(second.url,)))
            found = look_over()
        assert [told.chain for told in found.values() if isinstance(told, Checked)] == ["31337", "31338"]

    def test_the_task_looks_at_those_that_are_read(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        install(evm.network_row(anvil), {**evm.network_row(other_anvil), "enabled": False}, evm.tron_row(anvil))
        tasks.look_networks_over()
        assert not Cursor.objects.exists()
        live_merchant()
        tasks.look_networks_over()
        assert list(Cursor.objects.values_list("network", flat=True)) == [evm.NETWORK]


class TestTheAdmin:
    @pytest.fixture
    def desk(self, client_as: Any) -> Client:
        operator = make_user("op@quittance.example", name="Operator", is_staff=True)
        Authenticator.objects.create(user=operator, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})
        client: Client = client_as(operator)
        return client

    @pytest.fixture
    def two(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> Iterator[None]:
        """One that is well, and one whose only node is away, by a URL with a secret."""
        away = "http://captain:open-sesame@127.0.0.1:1/v2/0c0ffee0-key"
        install(evm.network_row(anvil), evm.network_row(other_anvil, urls=(away,)))
        live_merchant()
        for network in (evm.NETWORK, evm.OTHER):
            watcher.read(network, now=NOW)
        yield

    @pytest.mark.usefixtures("two")
    def test_the_action_asks_the_chosen_ones_and_tells(self, desk: Client) -> None:
        chosen = list(Cursor.objects.order_by("network").values_list("pk", flat=True))
        answer = desk.post(reverse("admin:payments_cursor_changelist"), {"action": "look_over", "_selected_action": chosen}, follow=True)
        said = sorted((message.level_tag, str(message)) for message in answer.context["messages"])
        assert said == [
            ("success", "Anvil 31337: every node answers, and every token is what the catalogue says."),
            ("warning", f"Anvil 31338: {REFUSED}"),
        ]
        assert [row.remarks for row in Cursor.objects.order_by("network")] == [[], [REFUSED]]

    @pytest.mark.usefixtures("two")
    def test_the_one_that_was_not_chosen_is_not_asked(self, desk: Client) -> None:
        Cursor.objects.update(checked_at=None)
        chosen = Cursor.objects.get(network=evm.NETWORK)
        desk.post(reverse("admin:payments_cursor_changelist"), {"action": "look_over", "_selected_action": [chosen.pk]})
        assert list(Cursor.objects.exclude(checked_at=None).values_list("network", flat=True)) == [evm.NETWORK]

    @pytest.mark.usefixtures("two")
    def test_the_list_and_the_page_show_the_trouble_and_no_secret(self, desk: Client, anvil: Anvil) -> None:
        look_over()
        pages = [desk.get(reverse("admin:payments_cursor_changelist")).content.decode()]
        pages += [desk.get(reverse("admin:payments_cursor_change", args=[row.pk])).content.decode() for row in Cursor.objects.order_by("network")]
        assert [REFUSED in page for page in pages] == [True, False, True]
        assert [f"127.0.0.1:{anvil.port}" in page for page in pages] == [True, True, False]
        assert [word for word in ("captain", "sesame", "0c0ffee0") for page in pages if word in page] == []

    @pytest.mark.usefixtures("two")
    def test_a_network_that_is_in_no_catalogue_any_more_is_left_alone(self, desk: Client) -> None:
        gone = Cursor.objects.create(network="eip155:404")
        answer = desk.post(reverse("admin:payments_cursor_changelist"), {"action": "look_over", "_selected_action": [gone.pk]}, follow=True)
        assert (answer.status_code, list(answer.context["messages"])) == (200, [])
        assert "eip155:404" in answer.content.decode()


class TestTheStatus:
    @pytest.fixture
    def said(self, settings: Any, time_machine: Any) -> Callable[[], dict[str, Any]]:
        settings.STATUS_OPEN = True
        time_machine.move_to(NOW, tick=False)
        return lambda: dict(Client().get("/status").json()["networks"])

    def test_each_network_that_is_read_is_told(self, said: Callable[[], dict[str, Any]], install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        away = "http://captain:open-sesame@127.0.0.1:1/v2/0c0ffee0-key"
        install(evm.network_row(anvil), evm.network_row(other_anvil, urls=(away,)), evm.tron_row(anvil))
        live_merchant()
        for network in (evm.NETWORK, evm.OTHER):
            watcher.read(network, now=NOW)
        look_over()
        now = "2026-11-17T10:00:00Z"
        usual = {"ok": True, "height": anvil.height, "head": anvil.height, "behind": 0, "read_at": now, "failures": 0, "error": "", "remarks": []}
        first = {"network": evm.NETWORK, "name": "Anvil 31337", "chain": "31337", "source": f"127.0.0.1:{anvil.port}"}
        second = {"network": evm.OTHER, "name": "Anvil 31338", "chain": "", "source": "", "failures": 1, "error": REFUSED, "remarks": [REFUSED]}
        unread = {"ok": False, "height": None, "head": None, "read_at": None}
        assert said() == {
            "ok": False,
            "last_seen": now,
            "detail": "Not read to the head: Anvil 31338.",
            "each": [usual | first, usual | unread | second],
        }
