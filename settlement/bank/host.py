"""HTTP host-to-host: the payment file is put under its message id, and asked about by end-to-end ids.

``PUT messages/{message_id}`` with the file answers ``{message_id, sha256, status, reason}``; ``POST inquiries`` with
``{message_id, end_to_end_ids}`` answers ``{message_id, status, known, reason}``: how many of the ids the bank knows.
What is not such an answer to this message is none: then the outcome is unknown, whatever the status code says.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import urllib3

from settlement.bank.port import ABSENT, ACCEPTED, PENDING, REJECTED, Answer, BankSilentError, Message

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
MAX_ANSWER_BYTES: Final = 65_536
IDS_AT_ONCE: Final = 1_000
SIMULATOR_PATH: Final = "simulator"
"""Where the simulated bank answers ``{"simulator": true}``; no bank does."""

_SUBMITTED: Final = frozenset({ACCEPTED, REJECTED})
_FOUND: Final = frozenset({ACCEPTED, REJECTED, PENDING})


class HttpBank:
    """A bank's server. ``address`` is the folder of its paths; ``token`` is the bearer token that it gave us."""

    def __init__(
        self, address: str, token: str | None, read_seconds: int = READ_SECONDS, *, simulated: bool = False
    ) -> None:
        """``simulated``: nothing is said to a server that does not say of itself that it is the simulated bank."""
        self._simulated = simulated
        self._address = address.rstrip("/")
        self._token = token
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds)
        # no retry and no redirect of urllib3's own: what is sent again is decided by what is stored
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, maxsize=1)

    def submit(self, message: Message) -> Answer:
        """See :class:`settlement.bank.port.BankPort`.

        Raises:
            BankSilentError: no answer that can be believed.
        """
        self._require_simulated()
        headers = {
            "Content-Type": "application/xml",
            "Content-Length": str(message.size_bytes),
            "X-Content-SHA256": message.sha256,
        }
        said = self._call("PUT", f"messages/{quote(message.message_id, safe='')}", message.content(), headers)
        if said.get("message_id") != message.message_id or said.get("sha256") != message.sha256:
            raise BankSilentError("the bank answered about another message")
        return Answer(_status(said, _SUBMITTED), _reason(said))

    def inquire(self, message: Message) -> Answer:
        """See :class:`settlement.bank.port.BankPort`; absent only where the bank knows none of the ids.

        Raises:
            BankSilentError: no answer that can be believed.
        """
        self._require_simulated()
        ids = message.end_to_end_ids()
        while page := list(islice(ids, IDS_AT_ONCE)):
            body = json.dumps({"message_id": message.message_id, "end_to_end_ids": page}).encode()
            said = self._call("POST", "inquiries", body, {"Content-Type": "application/json"})
            if said.get("message_id") != message.message_id:
                raise BankSilentError("the bank answered about another message")
            status, known = _status(said, _FOUND | {ABSENT}), said.get("known")
            if type(known) is not int or not 0 <= known <= len(page) or (status == ABSENT) != (known == 0):
                raise BankSilentError("the bank contradicts itself")
            if status != ABSENT:
                return Answer(status, _reason(said))
        return Answer(ABSENT, "no end-to-end id is known")

    def _require_simulated(self) -> None:
        if self._simulated and self._call("GET", SIMULATOR_PATH, b"", {}).get(SIMULATOR_PATH) is not True:
            raise BankSilentError("a sandbox sends to the simulated bank only, and this is none")

    def _call(self, method: str, path: str, body: bytes | Iterator[bytes], headers: dict[str, str]) -> dict[str, Any]:
        given = headers if self._token is None else {**headers, "Authorization": f"Bearer {self._token}"}
        try:
            response = self._pool.request(
                method,
                f"{self._address}/{path}",
                body=body,
                headers=given,
                preload_content=False,
                redirect=False,
            )
            try:
                content = response.read(MAX_ANSWER_BYTES + 1, decode_content=False)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BankSilentError(f"{type(error).__name__}") from error
        if len(content) > MAX_ANSWER_BYTES:
            raise BankSilentError("the answer is too long")
        try:
            said = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BankSilentError(f"status {response.status} without an answer") from error
        if not isinstance(said, dict):
            raise BankSilentError(f"status {response.status} without an answer")
        return said


def _status(said: dict[str, Any], known: frozenset[str]) -> str:
    status = said.get("status")
    if not isinstance(status, str) or status not in known:
        raise BankSilentError("the bank's status is none that we know")
    return status


def _reason(said: dict[str, Any]) -> str:
    reason = said.get("reason", "")
    return "".join(c for c in reason if c.isprintable()) if isinstance(reason, str) else ""
