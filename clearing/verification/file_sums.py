"""The payment message and the bank table as they are kept: read as they come, for their counts, sums and signature."""

import base64
import codecs
import csv
import io
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from lxml import etree

from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.signatures import FILE, BadSignatureError, decoded, key_of_header
from clearing.verification.snapshot import Row
from tenants.kernel.money import Money, MoneyError


class Reader(Protocol):
    """Takes a file's bytes part by part; ``count`` and ``fen`` are those of its payments."""

    count: int
    fen: int

    def feed(self, part: bytes) -> Iterable[Difference]:
        """Take in the next bytes."""
        ...

    def finish(self, place: str) -> Iterable[Difference]:
        """The end of the file has come."""
        ...

    def close(self) -> None:
        """Give back what reading took; also when it was broken off."""
        ...


class PaymentMessage:
    """``pain.001.xml``: its own control sums, and its detached signature over the exact bytes."""

    def __init__(self, token: str, batch: Row, context: Context) -> None:
        self.count = 0
        self.fen = 0
        self._batch = batch
        self._context = context
        self._protected, _, self._signature = token.partition("..")
        self._stated: set[str] = set()
        self._parser = etree.XMLPullParser(events=("end",), resolve_entities=False, no_network=True, load_dtd=False)
        self._signed = tempfile.TemporaryFile()  # noqa: SIM115 - see ``close``
        self._signed.write(f"{self._protected}.".encode())
        self._waiting = b""

    def feed(self, part: bytes) -> Iterable[Difference]:
        """Take in the next bytes: for the sums, and for the signed form, which is in base64."""
        self._parser.feed(part)
        for _, element in self._parser.read_events():
            if isinstance(element, etree._Element):  # noqa: SLF001 - the only name that the type has
                self._read(element)
        waiting = self._waiting + part
        whole = len(waiting) // 3 * 3
        self._signed.write(base64.urlsafe_b64encode(waiting[:whole]))
        self._waiting = waiting[whole:]
        return ()

    def _read(self, element: "etree._Element") -> None:
        name = etree.QName(element).localname
        if name == "InstdAmt":
            self.count += 1
            self.fen += fen_of(element.text)
        elif name in {"NbOfTxs", "CtrlSum"}:
            self._stated.add(f"{name} {element.text}")
        elif name == "CdtTrfTxInf":
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]

    def close(self) -> None:
        """Drop the signed form."""
        self._signed.close()

    def finish(self, place: str) -> Iterator[Difference]:
        """Its control sums are those of its payments, and its signature holds."""
        self._signed.write(base64.urlsafe_b64encode(self._waiting).rstrip(b"="))
        self._signed.flush()
        summed = {f"NbOfTxs {self.count}", f"CtrlSum {Money(self.fen)}"}
        if self._stated != summed:
            yield differs("file.sums", place, summed, self._stated)
        fault = self._fault()
        if fault is not None:
            yield differs("file.signature", place, "a signature over its exact bytes", fault)

    def _fault(self) -> str | None:
        try:
            key = key_of_header(self._protected, FILE, self._context.keys)
            with (
                mmap.mmap(self._signed.fileno(), 0, access=mmap.ACCESS_READ) as message,
                memoryview(message) as view,
            ):
                key.verify(decoded(self._signature), view)
        except BadSignatureError as refused:
            return str(refused)
        except InvalidSignature:
            return "the signature does not fit the content"
        return key.refusal(self._batch.tenant, self._batch.instructed_at)


class BankTable:
    """``payouts.csv``, by the columns and the encoding that the manifest names."""

    def __init__(self, listed: Mapping[str, Any]) -> None:
        self.count = 0
        self.fen = 0
        fields = [column["field"] for column in listed["columns"]]
        self._column: Final[int] = fields.index("amount")
        self._text = codecs.getincrementaldecoder(listed["encoding"])()
        self._rest = ""
        self._headings = True

    def feed(self, part: bytes) -> Iterable[Difference]:
        """Take in the next bytes."""
        self._rest += self._text.decode(part)
        whole, newline, self._rest = self._rest.rpartition("\r\n")
        self._take(whole + newline)
        return ()

    def _take(self, text: str) -> None:
        for row in csv.reader(io.StringIO(text, newline="")):
            if self._headings:
                self._headings = False
            else:
                self.count += 1
                self.fen += fen_of(row[self._column] if self._column < len(row) else None)

    def close(self) -> None:
        """Nothing was taken."""

    def finish(self, place: str) -> Iterable[Difference]:  # noqa: ARG002 - as the other readers
        """The last line may come without its end."""
        self._take(self._rest)
        return ()


def fen_of(printed: str | None) -> int:
    """The amount in fen, or nought where the text is none: the sums will then differ."""
    try:
        return Money.parse(printed or "").fen
    except MoneyError:
        return 0
