from invoicing.models.attachment import Attachment, Rendering
from invoicing.models.bundle import Bundle
from invoicing.models.credit_note import CreditNote
from invoicing.models.invoice import Invoice, LineItem, Shelf, Status
from invoicing.models.item import Item
from invoicing.models.payer import Payer
from invoicing.models.reminder import Reminder, ReminderRule
from invoicing.models.schedule import Occurrence, Schedule, ScheduleLine, ScheduleStatus, Segment

__all__ = [
    "Attachment",
    "Bundle",
    "CreditNote",
    "Invoice",
    "Item",
    "LineItem",
    "Occurrence",
    "Payer",
    "Reminder",
    "ReminderRule",
    "Rendering",
    "Schedule",
    "ScheduleLine",
    "ScheduleStatus",
    "Segment",
    "Shelf",
    "Status",
]
