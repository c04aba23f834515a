"""The one signal of the project: haste, not truth. See merchants.events."""

from django.dispatch import Signal

event_recorded = Signal()  # sent on commit with `event_id`; losing it costs seconds
