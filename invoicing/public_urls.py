"""The payer's document, behind the invoice's unguessable link. Paths are relative to /i/<public_id>/."""

from django.urls import path

from invoicing.views import public

urlpatterns = [
    path("", public.invoice, name="public_invoice"),
    path("invoice.pdf", public.invoice_pdf, name="public_pdf"),
    path("receipt.pdf", public.receipt_pdf, name="public_receipt"),
    path("files/<slug:file_id>/", public.file, name="public_file"),
    path("viewed/", public.viewed, name="public_viewed"),
    path("logo.png", public.logo, name="public_logo"),
    path("brand.css", public.brand, name="public_brand"),
]
