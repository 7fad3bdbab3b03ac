"""The command line in this process, on the servers of a world that a test has made."""

from click.testing import CliRunner

from clearing.cli.program import program
from tests.verification.story import Story


def command(story: Story, *words: str, ok: int = 0) -> str:
    """What ``clearing`` prints to both its outputs for these words; it must end with the exit code ``ok``."""
    places = {
        "CLEARING_DATABASE_URL": story.addresses.app_url,
        "CLEARING_REDIS_URL": story.addresses.redis_url,
        "CLEARING_SECRETS_DIR": str(story.secrets_folder),
    }
    done = CliRunner().invoke(program, list(words), env=places, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert (done.return_value or 0) == ok, (words, done.return_value, done.output)
    return str(done.output)
