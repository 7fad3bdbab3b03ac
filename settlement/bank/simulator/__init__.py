"""A bank to try everything against: it takes, pays and answers like one, and misbehaves as it is told to."""

from settlement.bank.simulator.books import Books, Misbehaviour, Payment
from settlement.bank.simulator.server import BankServer

__all__ = ["BankServer", "Books", "Misbehaviour", "Payment"]
