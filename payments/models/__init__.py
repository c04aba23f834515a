from payments.models.chain import Cursor, SandboxBlock, SandboxTransaction
from payments.models.payment import Quote, ReceiveAddress, RecordedPayment, Transfer, Wallet

__all__ = ["Cursor", "Quote", "ReceiveAddress", "RecordedPayment", "SandboxBlock", "SandboxTransaction", "Transfer", "Wallet"]
