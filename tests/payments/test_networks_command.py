"""`manage.py networks` on real nodes: each network by itself, what is right of it, and what is wrong in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from payments.models import Cursor
from payments.rails import sandbox
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import EvmStory, live_merchant
from tests.chains.facade import Denied, Facade
from tests.chains.litecoin import Litecoin, catalogue
from tests.factories import NOW

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

NOWHERE = "http://127.0.0.1:1"
TOKENS = "    tokens as their contracts say: USDT, DAI, FEE, MOOD"
NOT_READ = "no wallet receives on it, so it is not read"
Install = Callable[..., object]


@pytest.fixture
def install(settings: Any, tmp_path: Path) -> Install:
    return lambda *rows: evm.install(settings, tmp_path, *rows)


def networks(*keys: str) -> tuple[list[str], str]:
    """The lines it prints, and the sentence it ends with: empty when all is well."""
    out = StringIO()
    try:
        call_command("networks", *keys, stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


def there(anvil: Anvil) -> str:
    """The middle of a line about a node that answers: where it is, its chain and its top."""
    at = datetime.fromtimestamp(int(anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16), UTC)
    return f"127.0.0.1:{anvil.port}, chain {anvil.chain_id}, block {anvil.height:,} of {at:%d %b %Y, %H:%M:%S} UTC"


class TestWhatIsRight:
    def test_a_network_that_is_well_is_one_line_and_its_tokens_another(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil))
        anvil.mine(1200)
        assert networks() == ([f"✓ Anvil 31337 (anvil31337): {there(anvil)}; {NOT_READ}", TOKENS], "")
        assert "block 1,2" in there(anvil)

    def test_it_tells_how_far_the_watcher_has_come(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil))
        merchant = live_merchant()
        assert networks()[0][0] == f"✓ Anvil 31337 (anvil31337): {there(anvil)}; not read yet"
        story = EvmStory(merchant, anvil)
        assert networks()[0][0].endswith(f"; read to block {anvil.height}, 0 behind")
        story.mine(7)
        assert networks()[0][0].endswith(f"; read to block {anvil.height - 7}, 7 behind")

    def test_all_that_are_on_are_asked_and_one_that_is_off_only_by_its_key(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        install(evm.network_row(anvil), {**evm.network_row(other_anvil), "enabled": False, "beta": True})
        assert networks() == ([f"✓ Anvil 31337 (anvil31337): {there(anvil)}; {NOT_READ}", TOKENS], "")
        off = [f"✓ Anvil 31338 (anvil31338), beta, off: {there(other_anvil)}; {NOT_READ}", TOKENS]
        assert networks("anvil31338") == (off, "")
        assert networks("anvil31338", "anvil31337")[0][0].startswith("✓ Anvil 31337")  # in the catalogue's order

    def test_tron_s_contracts_are_asked_in_tron_s_spelling(self, install: Install, anvil: Anvil) -> None:
        install(evm.tron_row(anvil))
        assert networks() == ([f"✓ Tron (tron), beta: {there(anvil)}; {NOT_READ}", "    tokens as their contracts say: USDT, DAI"], "")

    def test_the_sandbox_lives_in_this_database(self) -> None:
        assert networks("sandbox") == ([f"✓ Sandbox (sandbox): this database, chain sandbox:harbour, no block yet; {NOT_READ}"], "")
        sandbox.mine(now=NOW)
        assert "block 0 of 17 Nov 2026, 10:00:00 UTC" in networks("sandbox")[0][0]

    def test_a_node_of_bitcoin_s_family_names_its_first_block_and_no_password(self, settings: Any, tmp_path: Path, litecoin: Litecoin) -> None:
        settings.NETWORKS_FILE = catalogue(tmp_path, [litecoin.url])
        top = f"block {litecoin.height:,} of {litecoin.now:%d %b %Y, %H:%M:%S} UTC"
        chain = "530827f38f93b43ed12af0b3ad25a288"
        assert networks() == ([f"✓ Litecoin (litecoin): 127.0.0.1:{litecoin.port}, chain {chain}, {top}; {NOT_READ}"], "")


class TestWhatIsWrong:
    def test_wrong_decimals_a_wrong_symbol_and_no_contract_at_all(self, install: Install, anvil: Anvil) -> None:
        row = evm.network_row(anvil)
        _eth, usdt, dai, fee, _moody = row["asset"]
        usdt["decimals"] = 8
        dai["symbol"] = "USDC"
        fee["id"] = f"{evm.NETWORK}/erc20:{anvil.accounts[5]}"
        install(row)
        assert networks() == (
            [
                f"✗ Anvil 31337 (anvil31337): {there(anvil)}; {NOT_READ}",
                f"    {anvil.usdt} calls itself USDT with 6 decimals; the catalogue says USDT with 8.",
                f"    {anvil.dai} calls itself DAI with 18 decimals; the catalogue says USDC with 18.",
                f"    {anvil.accounts[5]} is no token here; the catalogue calls it FEE.",
            ],
            "Look at Anvil 31337.",
        )

    def test_a_network_without_an_answer_is_told_and_the_others_all_the_same(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        install(evm.network_row(anvil, urls=(NOWHERE,)), evm.network_row(other_anvil))
        lines, end = networks()
        assert lines == [
            "✗ Anvil 31337 (anvil31337): 127.0.0.1:1 refused the connection.",
            f"✓ Anvil 31338 (anvil31338): {there(other_anvil)}; {NOT_READ}",
            TOKENS,
        ]
        assert end == "Look at Anvil 31337."

    def test_one_of_two_nodes_that_does_not_answer_is_named(self, install: Install, anvil: Anvil) -> None:
        install(evm.network_row(anvil, urls=(NOWHERE, anvil.url)))
        assert networks() == (
            [f"✗ Anvil 31337 (anvil31337): {there(anvil)}; {NOT_READ}", "    127.0.0.1:1 refused the connection."],
            "Look at Anvil 31337.",
        )

    def test_a_node_of_another_chain(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        install(evm.network_row(anvil, urls=(other_anvil.url,)))
        wrong = f"127.0.0.1:{other_anvil.port} serves chain 31338, and not 31337."
        assert networks() == ([f"✗ Anvil 31337 (anvil31337): {wrong}"], "Look at Anvil 31337.")
        install(evm.network_row(anvil, urls=(anvil.url, other_anvil.url)))
        assert networks()[0][1] == f"    {wrong}"

    def test_a_network_without_a_node(self, install: Install, anvil: Anvil) -> None:
        install({**evm.network_row(anvil), "urls": ()})
        assert networks() == (["✗ Anvil 31337 (anvil31337): No node is configured."], "Look at Anvil 31337.")

    def test_a_key_that_is_none(self, install: Install, anvil: Anvil, other_anvil: Anvil) -> None:
        install(evm.network_row(anvil), evm.network_row(other_anvil))
        end = "There is no network atlantis, mu. There are anvil31337, anvil31338."
        assert networks("mu", "anvil31337", "atlantis") == ([], end)
        assert not Cursor.objects.exists()


class TestWhatAUrlHides:
    """An RPC key in a URL is worth money: it is in no line, in no table, whatever goes wrong."""

    @pytest.fixture
    def said(self, install: Install, anvil: Anvil) -> Callable[[Facade], str]:
        def ask(facade: Facade) -> str:
            url = facade.url.replace("http://", "http://captain:open%20sesame@") + "/v2/0c0ffee0-key?token=tide-table"
            install(evm.network_row(anvil, urls=(url,)))
            lines, end = networks()
            return "\n".join([*lines, end, str(Cursor.objects.values().get())])

        return ask

    def test_when_it_answers_and_when_it_does_not(self, said: Callable[[Facade], str], anvil: Anvil) -> None:
        def repeats(method: str, params: list[Any], result: Any) -> Any:
            raise Denied("the key 0c0ffee0-key of captain (open sesame, tide-table) may not call http://captain@node.example/v2/0c0ffee0-key")

        with Facade(anvil.url) as facade:
            well = said(facade)
            facade.bend = repeats
            refused = said(facade)
            facade.is_down = True
            away = said(facade)
        assert well.startswith("✓")
        assert "refused: the key … of … (" in refused
        assert "broke off the connection" in away
        found = [secret for secret in ("captain", "sesame", "0c0ffee0", "tide-table") for text in (well, refused, away) if secret in text]
        assert found == []
