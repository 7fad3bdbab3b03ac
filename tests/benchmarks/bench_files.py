"""P7, P8, P9: signing, writing and verifying all files of a batch, beside the bare work in the same run.

    python -m tests.benchmarks.bench_files [--count 20000] [--folder DIR]

The baseline of P7 is bare Ed25519 on two threads over payloads of the same size plus bare lxml ``xmlfile`` of a message
of the same size; that of P8 bare Ed25519 verification on two threads plus one read of the files. The memory is the
growth of the process above what it held before. No figure is printed unless counts and totals are right and the
verifier finds nothing.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lxml import etree

from settlement.formats.folder import write_folder
from settlement.formats.manifest import Chain
from settlement.formats.payout_batch import PayoutBatch
from settlement.offline import verify_batch
from settlement.payouts.instruction import Account, Instruction, Item, item_leaf
from settlement.signatures.key_custody import make_key, open_key
from settlement.signatures.merkle import merkle_root
from settlement.signatures.signing import RELEASE, SEAL, Purpose, compact_signer, holder_of
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.money import Money
from tests.benchmarks.baselines import options

KEK: Final = bytes(32)
CREATED_AT: Final = datetime(2024, 9, 27, 1, 0, tzinfo=UTC)
THREADS: Final = 2
CHUNK: Final = 500
ELEMENTS: Final = 20
"""In one transaction of our message; the bare one has as many."""
NUMBER: Final = "B-JS-2024-0001"


def account(place: int) -> Account:
    """A payee like any other."""
    bank = "中国工商银行股份有限公司南京鼓楼支行"
    return Account(f"南京紫金仪器检测技术有限公司第{place}分公司", f"62220210{place:011d}", bank, "102301000017")


def item(place: int) -> Item:
    """What one claim gets."""
    return Item(place, f"CL-JS-2024-{place:06d}", Money(14_000_000 + place % 1000))


def instructions(batch: PayoutBatch, kid: str) -> Iterator[Instruction]:
    """Made anew for each file, as from a cursor: nothing is kept."""
    for place in range(1, batch.count + 1):
        own = item(place)
        yield Instruction(
            UUID(int=(0x0192 << 112) | (7 << 76) | (2 << 62) | place),
            batch.tenant,
            batch.batch,
            batch.batch_id,
            batch.batch_root,
            batch.debtor,
            account(place),
            own.amount,
            "科技创新券兑付",
            (own,),
            batch.created_at,
            date(2024, 12, 31),
            kid,
        )


def batch_of(count: int) -> PayoutBatch:
    """The control totals of ``count`` instructions."""
    root = merkle_root(item_leaf("jiangsu", NUMBER, item(place), account(place)) for place in range(1, count + 1))
    return PayoutBatch(
        "jiangsu",
        "江苏省",
        "科技创新券兑付清单",
        NUMBER,
        UUID(int=(7 << 76) | (2 << 62)),
        root.hex(),
        account(0),
        count,
        count,
        Money(sum(item(place).amount.fen for place in range(1, count + 1))),
        CREATED_AT,
        date(2024, 9, 27),
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds on the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def memory_mib() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def on_threads(count: int, work: Callable[[], object]) -> None:
    """``work`` as often as asked, spread over the threads."""

    def some(times: int) -> None:
        for _ in range(times):
            work()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(some, [CHUNK] * (count // CHUNK)))


def bare_message(path: Path, count: int, size: int) -> None:
    """A message of ``count`` transactions by lxml ``xmlfile``, of about ``size`` bytes."""
    text = "x" * max(1, size // count // (ELEMENTS - 6) - 15)
    with etree.xmlfile(str(path), encoding="UTF-8") as message, message.element("Document"):
        for _ in range(count):
            with message.element("CdtTrfTxInf"):
                for group in range(6):
                    with message.element(f"Group{group}"):
                        for _ in range((ELEMENTS - 6) // 6):
                            with message.element("Text"):
                                message.write(text)
            message.write("\n")


def read_all(folder: Path) -> None:
    """One read of every file."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(2**20):
                pass


def main() -> int:
    """Run, prove, print."""
    parser = options(20_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        return measure(given.folder or Path(temporary), given.count)


def measure(folder: Path, count: int) -> int:
    """Every figure for a batch of ``count``; 1 and no figure when something is not right."""
    batch = batch_of(count)
    made = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT - timedelta(days=1), KEK)
    key = open_key(made.private_sealed, made.public, KEK)
    sealed = {
        "tenant": batch.tenant,
        "batch": batch.batch,
        "batch_id": batch.batch_id,
        "merkle_root": batch.batch_root,
        "count": batch.item_count,
        "total": batch.total,
        "seal_no": 1,
        "previous_seal": "0" * 64,
    }
    seal = compact_signer(key, SEAL)(canonical_bytes({**sealed, "sealed_by": "maker", "sealed_at": CREATED_AT}))
    released = {
        **sealed,
        "seal_sha256": sha256(seal.encode()).hex(),
        "number": 1,
        "needed": 1,
        "released_by": "releaser",
        "released_at": CREATED_AT,
    }
    person = make_key("jiangsu", Purpose.RELEASE, CREATED_AT, KEK, holder=holder_of("jiangsu", "releaser"))
    release = compact_signer(open_key(person.private_sealed, person.public, KEK), RELEASE)(canonical_bytes(released))
    chain = Chain(seal, (release,), "0" * 64, 1)
    jwks = {"keys": [made.public.jwk(), person.public.jwk()]}
    payload = bytes(len(canonical_bytes(next(instructions(batch, key.kid)).payload())) * 4 // 3)
    write_folder(folder, batch, lambda: instructions(batch, key.kid), key, chain)  # warm, and the sizes
    before = memory_mib()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key(), private.sign(payload)
    bare_sign = timed(lambda: on_threads(count, lambda: private.sign(payload)))
    bare_xml = timed(lambda: bare_message(folder / "bare.xml", count, sizes["pain.001.xml"]))
    bare_size = (folder / "bare.xml").stat().st_size
    (folder / "bare.xml").unlink()
    writing = timed(lambda: write_folder(folder, batch, lambda: instructions(batch, key.kid), key, chain))
    bare_verify = timed(lambda: on_threads(count, lambda: public.verify(signature, payload)))
    bare_read = timed(lambda: read_all(folder))
    differences: list[object] = []
    verifying = timed(lambda: differences.extend(verify_batch(folder, jwks)))
    lines = (folder / "payouts.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    total = sum(Decimal(line.split('","')[6]) for line in lines)
    if differences or len(lines) != count or total != Decimal(str(batch.total)):
        sys.stderr.write(f"wrong: {differences[:3]} {len(lines)} {total}\n")
        return 1
    micro = 1_000_000 / count
    written, verified = writing / (bare_sign + bare_xml), verifying / (bare_verify + bare_read)
    sys.stdout.write(
        f"{count} instructions, {sum(sizes.values()) / 2**20:.0f} MiB in {len(sizes)} files; microseconds each\n"
        f"bare Ed25519 signing, two threads   {bare_sign * micro:8.1f}\n"
        f"bare xmlfile of {bare_size / sizes['pain.001.xml']:.2f} of the size     {bare_xml * micro:8.1f}\n"
        f"signing and writing all files       {writing * micro:8.1f}   P7 ratio {written:.2f} (goal 2)\n"
        f"bare Ed25519 verifying, two threads {bare_verify * micro:8.1f}\n"
        f"bare read of all files              {bare_read * micro:8.1f}\n"
        f"offline verification                {verifying * micro:8.1f}   P8 ratio {verified:.2f} (goal 2)\n"
        f"most memory {memory_mib():.0f} MiB, of it {memory_mib() - before:.0f} after the first writing\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
