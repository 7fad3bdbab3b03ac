"""Web processes share their connections evenly, and none waits for a process that is gone."""

import time

from clearing.sharing import AFTER_YOU_SECONDS, Shares


def test_whoever_has_more_lets_the_other_go_first() -> None:
    shares = Shares(2)
    assert not shares.has_more(0)
    shares.note(0, 3)
    assert shares.has_more(0)
    assert not shares.has_more(1)
    shares.note(1, 3)
    assert not shares.has_more(0)


def test_nobody_waits_alone_or_for_longer_than_a_moment() -> None:
    alone = Shares(1)
    alone.note(0, 8)
    assert not alone.has_more(0)
    shares = Shares(2)
    shares.note(1, 1)
    begun = time.monotonic()
    shares.let_go_first(1)
    assert time.monotonic() - begun >= AFTER_YOU_SECONDS
