"""Whatever is done has a word: no auditor reads a code in the console."""

from clearing.console.deed_words import ACCOUNTS, ACTIONS
from tests.verification.story import Story


def test_every_action_of_the_story_has_a_word(story: Story) -> None:
    done = story.do(
        lambda work: work.connection.exec_driver_sql("select distinct action from audit_entry").scalars().all()
    )
    assert len(done) > 100
    assert sorted(set(done) - set(ACTIONS)) == []


def test_every_account_of_the_story_has_a_name(story: Story) -> None:
    kept = story.do(
        lambda work: (
            work.connection.exec_driver_sql("select distinct split_part(code, '/', 1) from ledger_account")
            .scalars()
            .all()
        )
    )
    assert len(kept) > 10
    assert sorted(set(kept) - set(ACCOUNTS)) == []
