"""The independent auditor: recomputes from the stored rows what has to hold, and names every difference.

It shares no code with what it checks but money and canonical bytes.
"""

from clearing.verification.difference import Difference
from clearing.verification.examination import verify_database
from clearing.verification.report import run

__all__ = ["Difference", "run", "verify_database"]
