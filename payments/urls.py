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
]
