from invoicing.forms.sums import Sums
from invoicing.forms.whole import ONE_TIME, RECURRING, Entry

__all__ = ["ONE_TIME", "RECURRING", "Entry", "Sums"]
