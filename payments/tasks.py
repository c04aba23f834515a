"""Celery's side of payments: ids in, one domain call."""

from celery import shared_task
from django.conf import settings

from merchants import assets, clock
from payments import cursors, inspecting, quotes, rates, refunds, watcher
from payments.rails import sandbox

WATCH = "watch"  # a queue of its own: nodes are slow, or do not answer at all, and nobody else waits behind them


@shared_task(name="payments.tasks.mine_sandbox")
def mine_sandbox() -> None:
    if settings.SANDBOX_OPEN and sandbox.NETWORK in assets.catalogue().networks:
        sandbox.mine_if_due(now=clock.now())


@shared_task(name="payments.tasks.watch_networks")
def watch_networks() -> None:
    """A task per network whose turn it is, so that one that hangs holds up no other."""
    for network_id in watcher.due_networks(clock.now()):
        watch_network.apply_async([network_id], expires=10, queue=WATCH)


@shared_task(name="payments.tasks.watch_network")
def watch_network(network_id: str) -> None:
    watcher.read(network_id, now=clock.now())


@shared_task(name="payments.tasks.look_networks_over")
def look_networks_over() -> None:
    inspecting.look_over(cursors.used_networks(), now=clock.now())


@shared_task(name="payments.tasks.expire_quotes")
def expire_quotes() -> None:
    quotes.expire(now=clock.now())


@shared_task(name="payments.tasks.free_amounts")
def free_amounts() -> None:
    quotes.free_amounts(now=clock.now())


@shared_task(name="payments.tasks.expire_refunds")
def expire_refunds() -> None:
    refunds.expire_due(now=clock.now())


@shared_task(name="payments.tasks.refresh_rates")
def refresh_rates() -> None:
    rates.refresh(now=clock.now())
