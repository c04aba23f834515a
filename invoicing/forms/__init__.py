from invoicing.forms.head import InvoiceForm
from invoicing.forms.whole import Entry, Sums

__all__ = ["Entry", "InvoiceForm", "Sums"]
