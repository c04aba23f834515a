"""The payer's checkout, behind the invoice's unguessable link. Paths are relative to /i/<public_id>/."""

from django.urls import path

from payments.views import checkout

public_patterns = [
    path("pay/", checkout.checkout, name="checkout"),
    path("pay/quote/", checkout.quote, name="checkout_quote"),
    path("pay/status/", checkout.status, name="checkout_status"),
    path("pay/sandbox/", checkout.provoke, name="checkout_sandbox"),
]
