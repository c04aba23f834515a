from __future__ import annotations

from typing import ClassVar

from django.db import models

from merchants.fields import UnitsField


class Cursor(models.Model):
    """How far a network has been read, with the hashes of the trailing window; and who reads it now."""

    network = models.CharField(max_length=60, unique=True)
    height = models.BigIntegerField(default=-1)
    blocks = models.JSONField(default=list)  # [[height, hash], …], oldest first
    read_at = models.DateTimeField(null=True, blank=True)
    lease = models.PositiveBigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    unsettled = models.JSONField(default=dict)  # {invoice id: the height from which its blocks are read again}
    error = models.CharField(max_length=300, blank=True)
    head_height = models.BigIntegerField(null=True, blank=True)  # the newest block the node told of
    head_at = models.DateTimeField(null=True, blank=True)  # that block's own time
    source = models.CharField(max_length=120, blank=True)  # the host that was read last
    failures = models.PositiveIntegerField(default=0)  # passes in a row in which no node could be asked
    retry_at = models.DateTimeField(null=True, blank=True)  # not to be tried before
    chain = models.CharField(max_length=80, blank=True)  # chain id or genesis, as the node says
    checked_at = models.DateTimeField(null=True, blank=True)  # when nodes and tokens were last looked over
    remarks = models.JSONField(default=list, blank=True)  # what was wrong then, a sentence each
    behind_since = models.DateTimeField(null=True, blank=True)  # when it began to catch up

    def __str__(self) -> str:
        return f"{self.network} at {self.height}"


class SandboxBlock(models.Model):
    """A block of the simulated network. A reorg deletes the top ones and others take their heights."""

    network = models.CharField(max_length=60)
    height = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["network", "height"], name="sandbox_block_once")]

    def __str__(self) -> str:
        return f"{self.height} {self.hash[:8]}"


class SandboxTransaction(models.Model):
    """A payment on the simulated network: in the pool while `block_height` is None, gone once dropped."""

    network = models.CharField(max_length=60)
    txid = models.CharField(max_length=64, unique=True)
    address = models.CharField(max_length=120)
    asset_id = models.CharField(max_length=120)
    amount_units = UnitsField()
    not_before = models.PositiveBigIntegerField(default=0)  # a slow one waits for this height
    block_height = models.PositiveBigIntegerField(null=True, blank=True)
    dropped = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["network", "block_height"], name="sandbox_in_block")]

    def __str__(self) -> str:
        return self.txid
