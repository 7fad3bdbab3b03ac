"""Commands that are refused, as a shell sees it: the exit code, a message in two languages, and nothing changed."""

import io
import os
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest

from clearing.cli.program import USAGE, main
from tests.verification.story import Story

_CHINESE = re.compile("[\u4e00-\u9fff]")
_ENGLISH = re.compile("[A-Za-z]{2,} [a-z]{2,}")


def refused(story: Story, *words: str) -> str:
    """What the program says to these words, which it must refuse as wrong usage and without a trace in the database."""
    before, out, said = _state(story), io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(said):
        patch.setenv("CLEARING_DATABASE_URL", story.addresses.app_url)
        patch.setenv("CLEARING_REDIS_URL", story.addresses.redis_url)
        patch.setenv("CLEARING_SECRETS_DIR", str(story.secrets_folder))
        patch.setattr("sys.argv", ["clearing", *words])
        mask = os.umask(0o077)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(mask)
    message = said.getvalue()
    assert ended.value.code == USAGE, (words, ended.value.code, out.getvalue(), message)
    assert _CHINESE.search(message), (words, message)
    assert _ENGLISH.search(message), (words, message)
    assert out.getvalue() == "", (words, out.getvalue())
    assert _state(story) == before, words
    return message


def _state(story: Story) -> list[tuple[object, ...]]:
    """Where every tenant's chain, ledger and waiting work stand; no step is without a trace in one of them."""
    return list(
        story.do(
            lambda work: [
                tuple(row)
                for row in work.connection.exec_driver_sql(
                    "select h.tenant, h.seq, h.hash, "
                    "(select count(*) from ledger_transfer t where t.tenant = h.tenant), "
                    "(select count(*) from ledger_account a where a.tenant = h.tenant), "
                    "(select count(*) from bank_statement s where s.tenant = h.tenant), "
                    "(select count(*) from outbox) from audit_head h order by h.tenant"
                )
            ]
        )
    )
