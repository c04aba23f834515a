from invoicing.models.attachment import Attachment, Rendering
from invoicing.models.invoice import Invoice, LineItem, Status
from invoicing.models.payer import Payer

__all__ = ["Attachment", "Invoice", "LineItem", "Payer", "Rendering", "Status"]
