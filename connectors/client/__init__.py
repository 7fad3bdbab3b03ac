"""The client library for platforms: one token, retried calls, each write once, bulk that goes on where it broke off.

It is what our own simulators and the demonstration use; a platform's engineer installs this package and writes::

    client = Platform.at("https://clearing.example", ClientSecret("jssic-…", "…"))
    answer = client.submit(submission)            # one claim; safe to repeat
    for line in client.submit_all(submissions):   # any number, in order, resumed after a broken connection
        print(line.line, line.status)
    for event in client.events(after=last_seq):   # what became of them
        ...
"""

from connectors.client.answers import ClaimAnswer, Event, FieldFault, LineAnswer, ProblemAnswer, SupportAnswer
from connectors.client.bulk import BULK_BYTES, BULK_LINES
from connectors.client.calling import Caller
from connectors.client.credentials import ClientSecret, Credentials
from connectors.client.errors import CallError, UnansweredError
from connectors.client.patience import Patience
from connectors.client.platform import Platform

__all__ = [
    "BULK_BYTES",
    "BULK_LINES",
    "CallError",
    "Caller",
    "ClaimAnswer",
    "ClientSecret",
    "Credentials",
    "Event",
    "FieldFault",
    "LineAnswer",
    "Patience",
    "Platform",
    "ProblemAnswer",
    "SupportAnswer",
    "UnansweredError",
]
