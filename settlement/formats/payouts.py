"""``payouts.jsonl``: one signed instruction a line, ``{"instruction_id", "jws"}``, in the order of the batch."""

from collections.abc import Iterable, Iterator

from settlement.payouts.instruction import Instruction, InstructionError
from settlement.signatures.suites import Sign, encoded_bytes


def signing_input(instruction: Instruction, protected: str) -> bytes:
    """What is signed of an instruction (RFC 7515 section 5.1), under a key's protected header."""
    return b"%b.%b" % (protected.encode("ascii"), encoded_bytes(instruction.content()))


def signed_lines(sign: Sign, signing: Iterable[tuple[str, bytes]]) -> bytes:
    """The lines of instructions, each given by its id and what is to be signed; each line is canonical JSON."""
    return b"".join(
        [
            b'{"instruction_id":"%b","jws":"%b.%b"}\n'
            % (instruction_id.encode("ascii"), content, encoded_bytes(sign(content)))
            for instruction_id, content in signing
        ]
    )


def require_key(instructions: Iterable[Instruction], kid: str) -> Iterator[Instruction]:
    """The instructions, each looked at as it passes.

    Raises:
        InstructionError: one names another key.
    """
    for instruction in instructions:
        if instruction.key_id != kid:
            raise InstructionError(f"key_id: instruction {instruction.instruction_id} names another key than {kid}")
        yield instruction
