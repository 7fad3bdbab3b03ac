"""What a call can come to other than its answer."""

import json
from typing import Final

from connectors.client.answers import ProblemAnswer

_PRINTED: Final = 2_000
"""Characters of a body that an error's message repeats."""


class CallError(RuntimeError):
    """The service answered with a problem; ``problem`` holds it, ``body`` what was sent in its place."""

    def __init__(self, call: str, status: int, body: str) -> None:
        super().__init__(f"{call} -> {status}: {body[:_PRINTED]}")
        self.call = call
        self.status = status
        self.body = body

    @property
    def problem(self) -> ProblemAnswer | None:
        """The problem (RFC 9457), or ``None`` where something between answered otherwise."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return None
        return ProblemAnswer.of(data) if isinstance(data, dict) and "code" in data else None


class UnansweredError(ConnectionError):
    """No answer came in any attempt: whether a write took effect is not known, and repeating it is safe."""
