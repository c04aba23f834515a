"""The payer's checkout, relative to /i/<public_id>/; and the merchant's pages about money, relative to /m/<merchant>/."""

from django.urls import path

from payments.views import checkout, desk, unassigned, wallets

public_patterns = [
    path("pay/", checkout.checkout, name="checkout"),
    path("pay/quote/", checkout.quote, name="checkout_quote"),
    path("pay/sent/", checkout.sent, name="checkout_sent"),
    path("pay/status/", checkout.status, name="checkout_status"),
    path("pay/sandbox/", checkout.provoke, name="checkout_sandbox"),
]

merchant_patterns = [
    path("transfers/<int:pk>/decide/", desk.decide, name="transfer_decide"),
    path("unassigned/", unassigned.index, name="unassigned"),
    path("unassigned/<int:pk>/", unassigned.decide, name="unassigned_decide"),
    path("invoices/<int:pk>/payments/record/", desk.record, name="payment_record"),
    path("invoices/<int:pk>/payments/<int:payment_id>/reverse/", desk.reverse, name="payment_reverse"),
    path("payments/csv/", desk.payments_csv, name="payments_csv"),
    path("wallets/", wallets.index, name="wallets"),
    path("wallets/connect/", wallets.choose, name="wallet_choose"),
    path("wallets/connect/<slug:family>/", wallets.family, name="wallet_family"),
    path("wallets/connect/<slug:family>/check/", wallets.check, name="wallet_check"),
    path("wallets/<int:pk>/", wallets.wallet, name="wallet"),
    path("wallets/<int:pk>/addresses.csv", wallets.addresses_csv, name="wallet_addresses"),
    path("wallets/<int:pk>/rename/", wallets.rename, name="wallet_rename"),
    path("wallets/<int:pk>/retire/", wallets.retire, name="wallet_retire"),
]
