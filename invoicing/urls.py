"""The merchant's pages about invoices. Paths are relative to /m/<merchant>/."""

from django.urls import path

from invoicing.views import actions, detail, files, form, list, overview, uploads

merchant_patterns = [
    path("", overview.overview, name="overview"),
    path("invoices/", list.invoices, name="invoices"),
    path("invoices/new/", form.new, name="invoice_new"),
    path("invoices/totals/", form.totals, name="invoice_totals"),
    path("invoices/uploads/", uploads.add, name="upload_add"),
    path("invoices/uploads/<slug:public_id>/remove/", uploads.remove, name="upload_remove"),
    path("invoices/<int:pk>/", detail.invoice, name="invoice"),
    path("invoices/<int:pk>/edit/", form.edit, name="invoice_edit"),
    path("invoices/<int:pk>/publish/", actions.publish, name="invoice_publish"),
    path("invoices/<int:pk>/unschedule/", actions.unschedule, name="invoice_unschedule"),
    path("invoices/<int:pk>/void/", actions.void, name="invoice_void"),
    path("invoices/<int:pk>/delete/", actions.delete, name="invoice_delete"),
    path("invoices/<int:pk>/remark/", actions.remark, name="invoice_remark"),
    path("invoices/<int:pk>/invoice.pdf", files.invoice_pdf, name="invoice_pdf"),
    path("invoices/<int:pk>/receipt.pdf", files.receipt_pdf, name="invoice_receipt"),
    path("invoices/<int:pk>/files/<slug:file_id>/", files.attachment, name="invoice_file"),
]
