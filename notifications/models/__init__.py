from notifications.models.delivery import Attempt, Channel, Copy, Delivery, MailCopy
from notifications.models.endpoint import Application, Endpoint, Format
from notifications.models.mail import MailServer, Security, Wording

__all__ = ["Application", "Attempt", "Channel", "Copy", "Delivery", "Endpoint", "Format", "MailCopy", "MailServer", "Security", "Wording"]
