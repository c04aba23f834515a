"""The payer's checkout, relative to /i/<public_id>/; and the merchant's pages about money, relative to /m/<merchant>/."""

from django.urls import path

from payments.views import checkout, desk

public_patterns = [
    path("pay/", checkout.checkout, name="checkout"),
    path("pay/quote/", checkout.quote, name="checkout_quote"),
    path("pay/status/", checkout.status, name="checkout_status"),
    path("pay/sandbox/", checkout.provoke, name="checkout_sandbox"),
]

merchant_patterns = [
    path("transfers/<int:pk>/decide/", desk.decide, name="transfer_decide"),
    path("invoices/<int:pk>/payments/record/", desk.record, name="payment_record"),
    path("invoices/<int:pk>/payments/<int:payment_id>/reverse/", desk.reverse, name="payment_reverse"),
    path("payments/csv/", desk.payments_csv, name="payments_csv"),
]
