"""The offline verifier: is a folder of payment files whole, genuine and of one mind? Needs only the public keys.

It shares no code with what writes the files but money and canonical bytes.
"""

from settlement.offline.difference import Difference
from settlement.offline.verifying import verify_batch

__all__ = ["Difference", "verify_batch"]
