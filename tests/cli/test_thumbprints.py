"""Keys are named by their thumbprints, one in 64 of which begins with a hyphen: that is no option."""

import pytest

from tenants.kernel.errors import NotFound
from tests.cli.commands import command
from tests.console.world import World

PERSON = ("--person", "运维-陈")
HYPHENATED = ["-k45AhItCVxNh0j9qpf391lE6BmTcq_Z7gWqY5GbNuM", "-" + "h" * 42, "--" + "help" * 10 + "_", "-" * 43]


@pytest.mark.parametrize("kid", HYPHENATED)
def test_a_key_whose_id_begins_with_a_hyphen_is_looked_for(world: World, kid: str) -> None:
    for words in (
        ("key", "revoke", kid, "--tenant", "jiangsu", "--reason", "lost", *PERSON),
        ("key", "revoke", "--tenant", "jiangsu", "--reason", "lost", *PERSON, "--", kid),
        ("client", "revoke-key", "jssic-1", kid, *PERSON),
        ("client", "revoke-key", *PERSON, "jssic-1", "--", kid),
    ):
        with pytest.raises(NotFound):
            command(world.story, *words)
