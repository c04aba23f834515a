"""`manage.py networks`: asks every network's nodes now, and prints what they say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from merchants import assets, clock
from merchants.assets import Network
from payments.cursors import NetworkState, states
from payments.inspecting import look_over
from payments.rails import Checked


class Command(BaseCommand):
    help = (
        "Ask the nodes of every network that is switched on (or of those named by key): whether they answer, the chain, its height, how far we are"
        " behind, and whether the tokens' contracts say what the catalogue says. Exits with 1 when something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("keys", nargs="*", metavar="key", help="Networks by their key in the catalogue; those that are off are asked too.")

    def handle(self, *_args: Any, **options: Any) -> None:
        now = clock.now()
        known = {state.network.id: state for state in states(now)}
        found = look_over(_chosen(options["keys"]), now=now)
        for network, told in found:
            self._print(network, told, known[network.id])
        wrong = [network.name for network, told in found if isinstance(told, str) or told.remarks]
        if wrong:
            raise CommandError(f"Look at {', '.join(wrong)}.")

    def _print(self, network: Network, told: Checked | str, state: NetworkState) -> None:
        name = f"{network.name} ({network.key})" + (", beta" if network.beta else "") + ("" if network.enabled else ", off")
        if isinstance(told, str):
            self.stdout.write(self.style.ERROR(f"✗ {name}: {told}"))
            return
        height = f"block {told.head.height:,} of {told.head.at:%d %b %Y, %H:%M:%S} UTC" if told.head else "no block yet"
        mark = self.style.ERROR("✗") if told.remarks else self.style.SUCCESS("✓")
        self.stdout.write(f"{mark} {name}: {told.source or 'this database'}, chain {told.chain}, {height}; {_read(state, told)}")
        tokens = [asset.symbol for asset in assets.catalogue().assets.values() if asset.network.id == network.id and asset.contract and network.urls]
        if tokens and not told.remarks:
            self.stdout.write(f"    tokens as their contracts say: {', '.join(tokens)}")
        for remark in told.remarks:
            self.stdout.write(self.style.ERROR(f"    {remark}"))


def _chosen(keys: list[str]) -> Iterable[Network]:
    networks = assets.catalogue().networks.values()
    unknown = set(keys) - {network.key for network in networks}
    if unknown:
        raise CommandError(f"There is no network {', '.join(sorted(unknown))}. There are {', '.join(network.key for network in networks)}.")
    return (network for network in networks if (network.key in keys if keys else network.enabled))


def _read(state: NetworkState, told: Checked) -> str:
    """How far the watcher is behind what the node says."""
    if not state.is_used:
        return "no wallet receives on it, so it is not read"
    if state.height is None or told.head is None:
        return "not read yet"
    behind = max(told.head.height - state.height, 0)
    return f"read to block {state.height:,}, {behind:,} behind"
