from payments.models.chain import Cursor, SandboxBlock, SandboxTransaction
from payments.models.payment import BY_BALANCE, Hint, Quote, RecordedPayment, Transfer
from payments.models.price import PastPrices, Price
from payments.models.wallet import BalanceLook, ReceiveAddress, Wallet, WalletKey

__all__ = [
    "BY_BALANCE",
    "BalanceLook",
    "Cursor",
    "Hint",
    "PastPrices",
    "Price",
    "Quote",
    "ReceiveAddress",
    "RecordedPayment",
    "SandboxBlock",
    "SandboxTransaction",
    "Transfer",
    "Wallet",
    "WalletKey",
]
