"""What an administrator of the database changes for good is found through the auditor's own address, by name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from clearing.verification import Difference, run, verify_database
from tests.verification.story import Story


@contextmanager
def owner(story: Story) -> Iterator["psycopg.Connection[Any]"]:
    """The owner's connection, bound to every tenant, one transaction."""
    url = make_url(story.addresses.owner_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given) as connection:
        connection.execute("select bind_scope(%s, null)", (",".join(story.tenants),))
        yield connection


@contextmanager
def changed(story: Story, table: str, change: str, undo: str) -> Iterator[list[Difference]]:
    """What is found while the change stands; then it is undone."""
    _commit(story, table, change)
    try:
        yield look(story)
    finally:
        _commit(story, table, undo)


def _commit(story: Story, table: str, statement: str) -> None:
    with owner(story) as connection:
        connection.execute(f"alter table {table} disable trigger user".encode())
        connection.execute(statement.encode())
        connection.execute(f"alter table {table} enable trigger user".encode())


def live_claim(story: Story) -> str:
    """The number of a claim in Jiangsu that has an award."""
    with owner(story) as connection:
        found = connection.execute(
            "select claim_no from claim where tenant = 'jiangsu' and state = 'in_review' and award_fen > 0 limit 1"
        ).fetchall()
    return str(found[0][0])


def look(story: Story) -> list[Difference]:
    """Everything that the auditor finds."""
    return list(verify_database(story.addresses.auditor_url, story.secrets_folder, story.checkpoints_folder))


def test_nothing_is_found_after_a_whole_history(story: Story) -> None:
    assert look(story) == []


def test_nothing_is_found_without_secrets_and_checkpoints(story: Story) -> None:
    assert list(verify_database(story.addresses.auditor_url, None, None)) == []


def test_the_report_counts_what_was_looked_at(story: Story) -> None:
    out = StringIO()
    assert run(story.addresses.auditor_url, story.secrets_folder, story.checkpoints_folder, out=out) == 0
    assert f"{len(story.claims):>12,}  claims" in out.getvalue()
    assert "核验通过" in out.getvalue()
    assert "audit entries" in out.getvalue()


def test_the_report_as_json_names_each_difference_and_ends_with_the_counts(story: Story) -> None:
    with owner(story) as connection:
        entries = connection.execute("select count(*) from audit_entry").fetchall()[0][0]
    out = StringIO()
    number = live_claim(story)
    change = f"update claim set award_fen = award_fen {{}} 1 where claim_no = '{number}'"
    with changed(story, "claim", change.format("-"), change.format("+")):
        code = run(story.addresses.auditor_url, story.secrets_folder, story.checkpoints_folder, as_json=True, out=out)
    *found, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert code == 1
    assert last["checked"]["audit entries"] == entries
    assert last["differences"] == len(found) > 0
    assert f"claim/jiangsu/{number}/award_fen" in {each["difference"]["place"] for each in found}


def test_a_report_without_secrets_says_that_it_is_not_whole(story: Story) -> None:
    out = StringIO()
    assert run(story.addresses.auditor_url, None, None, out=out) == 0
    assert "未核对" in out.getvalue()


def test_an_award_lowered_by_one_fen_is_named_in_claim_ledger_and_quota(story: Story) -> None:
    number = live_claim(story)
    change = f"update claim set award_fen = award_fen {{}} 1 where claim_no = '{number}'"
    with changed(story, "claim", change.format("-"), change.format("+")) as found:
        assert {"claim.award", "quota.taken"} <= {each.subject for each in found}
        assert any(each.place.startswith(f"ledger_transfer/jiangsu/{number}") for each in found)
    assert look(story) == []


def test_a_transfer_made_by_hand_is_named_even_where_the_sums_were_made_to_fit(story: Story) -> None:
    with owner(story) as connection:
        [[debit, credit, claim_id]] = connection.execute(
            "select debit, credit, subject_id from ledger_transfer where tenant = 'jiangsu' and debit like 'quota/%' and kind = 'pending' limit 1"
        ).fetchall()
    account = f"tenant = 'jiangsu' and code = '{debit}'"
    add = (
        "insert into ledger_transfer (tenant, id, kind, debit, credit, amount_fen, reason, subject_id, at) values "
        f"('jiangsu', '00000000-0000-7000-8000-000000000001', 'posted', '{debit}', '{credit}', 1, 'quota', '{claim_id}', now());"
        f"update ledger_account set debits_posted_fen = debits_posted_fen + 1 where {account}"
    )
    undo = (
        "delete from ledger_transfer where id = '00000000-0000-7000-8000-000000000001';"
        f"update ledger_account set debits_posted_fen = debits_posted_fen - 1 where {account}"
    )
    with changed(story, "ledger_transfer", add, undo) as found:
        assert any(each.place.endswith("00000000-0000-7000-8000-000000000001/at") for each in found)
        assert {"ledger.flow", "claim.owed"} <= {each.subject for each in found}
        assert "ledger.sum" not in {each.subject for each in found}
    assert look(story) == []


def test_an_entry_rewritten_with_all_hashes_after_it_contradicts_the_signed_checkpoint(story: Story) -> None:
    """Who holds the database can rewrite a whole chain; only what was signed outside tells."""
    rewrite = """
        create temp table kept on commit drop as select * from audit_entry where tenant = 'qingpu';
        do $$ declare e record; h bytea := decode(repeat('00', 32), 'hex'); b text;
        begin
            for e in select * from audit_entry where tenant = 'qingpu' order by seq loop
                b := replace(e.body, '"actor":"{from}"', '"actor":"{to}"');
                h := sha256(convert_to('clearing-audit-v1' || chr(10), 'UTF8') || h || convert_to(b, 'UTF8'));
                update audit_entry set body = b, hash = h where tenant = e.tenant and seq = e.seq;
            end loop;
            update audit_head set hash = h where tenant = 'qingpu';
        end $$;
    """
    platform = next(iter(story.tokens))
    assert platform == "jssic"
    with owner(story) as connection:
        [[actor]] = connection.execute(
            "select distinct body::json ->> 'actor' from audit_entry where tenant = 'qingpu' and action = 'claim.submitted'"
        ).fetchall()
    there, back = (rewrite.replace("{from}", a).replace("{to}", b) for a, b in ((actor, "nobody"), ("nobody", actor)))
    with changed(story, "audit_entry", there, back) as found:
        assert "checkpoint.contradicted" in {each.subject for each in found}
        assert "chain.hash" not in {each.subject for each in found}
    assert look(story) == []


def test_an_old_backup_put_back_is_seen_by_the_checkpoint_beyond_its_end(story: Story) -> None:
    with owner(story) as connection:
        [row] = connection.execute(
            "select seq, at, action, subject_id, body, hash from audit_entry where tenant = 'wujiang' order by seq desc limit 1"
        ).fetchall()
        [before] = connection.execute(
            "select seq, hash, at from audit_entry where tenant = 'wujiang' order by seq desc offset 1 limit 1"
        ).fetchall()
    head = "update audit_head set seq = {}, hash = '\\x{}', at = '{}' where tenant = 'wujiang'"
    cut = f"delete from audit_entry where tenant = 'wujiang' and seq = {row[0]};" + head.format(
        before[0], before[1].hex(), before[2].isoformat()
    )
    text = row[4].replace("'", "''")
    undo = (
        "insert into audit_entry (tenant, seq, at, action, subject_id, body, hash) values "
        f"('wujiang', {row[0]}, '{row[1].isoformat()}', '{row[2]}', '{row[3]}', '{text}', '\\x{row[5].hex()}');"
        + head.format(row[0], row[5].hex(), row[1].isoformat())
    )
    with changed(story, "audit_entry", cut, undo) as found:
        assert [each.place for each in found if each.subject == "checkpoint.beyond"] == ["checkpoints/wujiang.jsonl/1"]
    assert look(story) == []


def test_a_role_that_does_not_see_every_row_is_refused(story: Story) -> None:
    with pytest.raises(psycopg.Error):
        list(verify_database(story.addresses.app_url, story.secrets_folder, story.checkpoints_folder))


def test_the_auditor_writes_nothing_whatever_it_is_told(story: Story) -> None:
    url = make_url(story.addresses.auditor_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given) as connection, pytest.raises(psycopg.Error):
        connection.execute("set transaction read write; update claim set award_fen = 0")


def test_a_wrong_secret_is_named_and_the_rest_still_looked_at(story: Story, tmp_path: Any) -> None:
    (tmp_path / "kek").write_bytes(bytes(31))
    found = list(verify_database(story.addresses.auditor_url, tmp_path, story.checkpoints_folder))
    assert [each.subject for each in found] == ["secrets.unreadable"]
