"""``payouts.jsonl``: one signed instruction a line, ``{"instruction_id", "jws"}``, in the order of the batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import BinaryIO, Final

from settlement.formats.payout_batch import PayoutBatch, counted
from settlement.payouts.instruction import Instruction, InstructionError
from settlement.signatures.signing import INSTRUCTION, SigningKey, compact_signer
from tenants.kernel.canonical import canonical_bytes

SIGNING_THREADS: Final = 2
"""Signing leaves the interpreter free, so that the next payloads are made meanwhile."""

_CHUNK: Final = 128
_CHUNKS_AHEAD: Final = 4

_Chunk = list[tuple[Instruction, bytes]]


def write_payouts(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction], key: SigningKey) -> None:
    """Sign and write every instruction; each line is canonical JSON.

    Raises:
        InstructionError: an instruction names another key, or the key is another tenant's.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    out.writelines(
        f'{{"instruction_id":"{instruction.instruction_id}","jws":"{token}"}}\n'.encode("ascii")
        for instruction, token in signed(batch, instructions, key)
    )


def signed(
    batch: PayoutBatch, instructions: Iterable[Instruction], key: SigningKey
) -> Iterator[tuple[Instruction, str]]:
    """The instructions with their compact JWS, in their order, a bounded number of them ahead.

    Raises:
        InstructionError, TotalsError: see :func:`write_payouts`.
    """
    if key.tenant != batch.tenant:
        raise InstructionError(f"key_id: a key of {key.tenant} does not sign for {batch.tenant}")
    sign = compact_signer(key, INSTRUCTION)
    payloads = ((each, _payload(each, key.kid)) for _, each in counted(batch, instructions))
    waiting: deque[tuple[_Chunk, Future[list[str]]]] = deque()
    with ThreadPoolExecutor(SIGNING_THREADS) as threads:
        while chunk := list(islice(payloads, _CHUNK)):
            waiting.append((chunk, threads.submit(_sign_all, sign, chunk)))
            if len(waiting) > _CHUNKS_AHEAD:
                yield from _finished(*waiting.popleft())
        while waiting:
            yield from _finished(*waiting.popleft())


def _payload(instruction: Instruction, kid: str) -> bytes:
    if instruction.key_id != kid:
        raise InstructionError(f"key_id: instruction {instruction.instruction_id} names another key than {kid}")
    return canonical_bytes(instruction.payload())


def _sign_all(sign: Callable[[bytes], str], chunk: _Chunk) -> list[str]:
    return [sign(payload) for _, payload in chunk]


def _finished(chunk: _Chunk, tokens: Future[list[str]]) -> Iterator[tuple[Instruction, str]]:
    for (instruction, _), token in zip(chunk, tokens.result(), strict=True):
        yield instruction, token
