"""Celery's side of payments: ids in, one domain call."""

from celery import shared_task
from django.conf import settings

from merchants import assets, clock
from payments import quotes, watcher
from payments.rails import sandbox


@shared_task(name="payments.tasks.mine_sandbox")
def mine_sandbox() -> None:
    if settings.SANDBOX_OPEN:
        sandbox.mine_if_due(now=clock.now())


@shared_task(name="payments.tasks.watch_networks")
def watch_networks() -> None:
    """A task per network, so that one that hangs holds up no other."""
    for network in assets.catalogue().networks.values():
        if settings.SANDBOX_OPEN or not network.test:
            watch_network.apply_async([network.id], expires=10, queue="chain")


@shared_task(name="payments.tasks.watch_network")
def watch_network(network_id: str) -> None:
    watcher.read(network_id, now=clock.now())


@shared_task(name="payments.tasks.expire_quotes")
def expire_quotes() -> None:
    quotes.expire(now=clock.now())
