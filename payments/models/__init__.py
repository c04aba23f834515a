from payments.models.chain import Cursor, SandboxBlock, SandboxTransaction
from payments.models.payment import Quote, ReceiveAddress, Transfer, Wallet

__all__ = ["Cursor", "Quote", "ReceiveAddress", "SandboxBlock", "SandboxTransaction", "Transfer", "Wallet"]
