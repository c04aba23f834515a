"""The PDF of an issued invoice, the receipt of a paid one, and credit notes.

`paper` and `credit` say what stands on it, `press` prints it, `stored` keeps it: made once, kept with its hash, made again
only when its link was replaced. Nothing of this runs inside a transaction but `request` and `forget`, which only write rows.
"""

from invoicing.pdf.paper import render
from invoicing.pdf.stored import NotMade, content, ensure, ensure_note, failed, forget, forget_receipt, missing, request, request_note, retry

__all__ = [
    "NotMade",
    "content",
    "ensure",
    "ensure_note",
    "failed",
    "forget",
    "forget_receipt",
    "missing",
    "render",
    "request",
    "request_note",
    "retry",
]
