"""The payer's checkout, relative to /i/<public_id>/; and the merchant's pages about money, relative to /m/<merchant>/."""

from django.urls import path

from payments.views import checkout, claim, desk, refund_acts, refund_list, refund_pay, refunds, unassigned, wallets

public_patterns = [
    path("pay/", checkout.checkout, name="checkout"),
    path("pay/quote/", checkout.quote, name="checkout_quote"),
    path("pay/sent/", checkout.sent, name="checkout_sent"),
    path("pay/status/", checkout.status, name="checkout_status"),
    path("pay/sandbox/", checkout.provoke, name="checkout_sandbox"),
]

# A refund's payer, behind the links of its mails; relative to /r/.
refund_patterns = [
    path("confirm/<str:token>/", claim.confirm, name="refund_confirm"),
    path("<str:token>/", claim.claim, name="refund_claim"),
    path("<str:token>/again/", claim.again, name="refund_claim_again"),
    path("<str:token>/credit-note.pdf", claim.note, name="refund_claim_note"),
]

merchant_patterns = [
    path("transfers/<int:pk>/decide/", desk.decide, name="transfer_decide"),
    path("unassigned/", unassigned.index, name="unassigned"),
    path("unassigned/<int:pk>/", unassigned.decide, name="unassigned_decide"),
    path("invoices/<int:pk>/payments/record/", desk.record, name="payment_record"),
    path("invoices/<int:pk>/payments/<int:payment_id>/reverse/", desk.reverse, name="payment_reverse"),
    path("payments/csv/", desk.payments_csv, name="payments_csv"),
    path("refunds/", refund_list.refunds, name="refunds"),
    path("refunds/csv/", refund_list.csv, name="refunds_csv"),
    path("refunds/<int:pk>/pay/", refund_pay.pay, name="refund_pay"),
    path("refunds/<int:pk>/pay/status/", refund_pay.status, name="refund_pay_status"),
    path("refunds/<int:pk>/pay/sandbox/", refund_pay.provoke, name="refund_pay_sandbox"),
    path("invoices/<int:pk>/refunds/create/", refunds.create, name="refund_create"),
    path("refunds/<int:pk>/", refunds.refund, name="refund"),
    path("refunds/<int:pk>/change/", refunds.change, name="refund_change"),
    path("refunds/<int:pk>/address/", refund_acts.address, name="refund_address"),
    path("refunds/<int:pk>/approve/", refund_acts.approve, name="refund_approve"),
    *(path(f"refunds/<int:pk>/{act}/", refund_acts.ask, {"act": act}, name=f"refund_{act}") for act in refund_acts.ASKS),
    path("wallets/", wallets.index, name="wallets"),
    path("wallets/connect/", wallets.choose, name="wallet_choose"),
    path("wallets/connect/<slug:family>/", wallets.family, name="wallet_family"),
    path("wallets/connect/<slug:family>/check/", wallets.check, name="wallet_check"),
    path("wallets/<int:pk>/", wallets.wallet, name="wallet"),
    path("wallets/<int:pk>/addresses.csv", wallets.addresses_csv, name="wallet_addresses"),
    path("wallets/<int:pk>/rename/", wallets.rename, name="wallet_rename"),
    path("wallets/<int:pk>/retire/", wallets.retire, name="wallet_retire"),
]
