from payments.models.chain import Cursor, SandboxBlock, SandboxTransaction
from payments.models.payment import BY_BALANCE, Hint, Quote, RecordedPayment, Transfer
from payments.models.price import PastPrices, Price
from payments.models.refund import LIVE, Claim, Refund, RefundShare
from payments.models.wallet import BalanceLook, ReceiveAddress, Wallet, WalletKey

__all__ = [
    "BY_BALANCE",
    "LIVE",
    "BalanceLook",
    "Claim",
    "Cursor",
    "Hint",
    "PastPrices",
    "Price",
    "Quote",
    "ReceiveAddress",
    "RecordedPayment",
    "Refund",
    "RefundShare",
    "SandboxBlock",
    "SandboxTransaction",
    "Transfer",
    "Wallet",
    "WalletKey",
]
