"""Signing keys in a PKCS#11 token: SoftHSM's, made by its own tool; skipped where softhsm is not installed."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from settlement.batches.delivery import instruct
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.office import Office
from settlement.offline import verify_batch
from settlement.offline.verify_alone import differences
from settlement.signatures.keys import ensure_payout_key, jwks, public_keys, revoke_key, rotate_key
from settlement.signatures.signing import SEAL, Purpose, compact_signer, verify_compact
from settlement.signatures.token import SETTINGS_FILE, TokenSettingsError, read_token
from tenants.kernel.errors import Conflict, Unavailable
from tests.settlement_service.bench import CUT, MAKER, OFFICE, OVER, RELEASER, Bench
from tests.settlement_service.test_instructing_with_database import download

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((path for path in MODULES if Path(path).exists()), "")
WHY = (
    "softhsm2 is not installed (apt-get install softhsm2)" if not MODULE or shutil.which("softhsm2-util") is None
    else "python-pkcs11 is not installed (pip install 'clearing[pkcs11]')"
    if importlib.util.find_spec("pkcs11") is None else ""
)  # fmt: skip
pytestmark = pytest.mark.skipif(WHY != "", reason=WHY)

Open = Callable[[str], Office]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which SoftHSM keeps its tokens, one in it by the name ``clearing``."""
    folder = tmp_path_factory.mktemp("softhsm")
    kept, configuration = folder / "tokens", folder / "softhsm2.conf"
    kept.mkdir()
    configuration.write_text(f"directories.tokendir = {kept}\nobjectstore.backend = file\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOFTHSM2_CONF", str(configuration))
        command = [str(shutil.which("softhsm2-util")), "--init-token", "--free", "--label", "clearing"]
        pins = ["--so-pin", "12345678", "--pin", "87654321"]
        subprocess.run([*command, *pins], check=True, capture_output=True, env=dict(os.environ))
        yield kept


@pytest.fixture
def office(tokens: Path, tmp_path: Path) -> Iterator[Open]:
    """An office whose tenants' keys are made in the token, of the algorithm."""
    (tmp_path / "token-pin").write_text("87654321\n", encoding="utf-8")

    def opened(algorithm: str = "") -> Office:
        chosen = f'algorithm = "{algorithm}"\n' if algorithm else ""
        (tmp_path / SETTINGS_FILE).write_text(
            f'module = "{MODULE}"\nlabel = "clearing"\npin_file = "token-pin"\n{chosen}', encoding="utf-8"
        )
        return replace(OFFICE, secrets=replace(OFFICE.secrets, folder=tmp_path))

    yield opened
    import pkcs11

    pkcs11.unload(MODULE)  # the login is the process's, and the next test brings its own


@contextmanager
def away(tokens: Path) -> Iterator[None]:
    """The token is pulled out, and put back."""
    elsewhere = tokens.with_name("elsewhere")
    tokens.rename(elsewhere)
    tokens.mkdir()
    try:
        yield
    finally:
        tokens.rmdir()
        elsewhere.rename(tokens)


@pytest.mark.parametrize(("asked", "made"), [("", "Ed25519"), ("Ed25519", "Ed25519"), ("ES256", "ES256")])
def test_a_key_made_in_the_token_signs_a_batch_that_verifies_offline(
    bench: Bench, office: Open, tmp_path: Path, asked: str, made: str
) -> None:
    own = office(asked)
    bench.approve("100.00", "7.00")
    bench.set_account()
    batch = bench.publish(bench.cut())
    batch = bench.do(lambda c: seal(c, bench.tenant, batch.id, own, MAKER, OVER), OVER)
    bench.do(lambda c: release(c, bench.tenant, batch.id, own, RELEASER, OVER), OVER)
    batch = bench.do(lambda c: instruct(c, bench.tenant, batch.id, own, OVER), OVER)
    keys = bench.rows(
        "select algorithm, private_sealed, token_uri from signing_key where tenant = %s order by purpose", bench.tenant
    )
    assert [(row.algorithm, row.private_sealed) for row in keys] == [(made, None)] * 2
    assert all(row.token_uri.startswith("pkcs11:token=clearing;id=%") for row in keys)
    (tmp_path / "files").mkdir()
    folder = download(bench, batch, tmp_path / "files")
    published = bench.do(lambda c: jwks(c, bench.tenant))
    assert verify_batch(folder, published) == []
    assert list(differences(folder, published, None)) == []


def test_a_key_in_the_token_rotates_and_is_revoked(bench: Bench, office: Open) -> None:
    own = office("")
    first = bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, CUT))
    token = compact_signer(first, SEAL)(b"sealed before")
    second = bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.PAYOUT, own, "operator", OVER), OVER)
    assert second.kid != first.kid
    assert bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, OVER)).kid == second.kid
    keys = bench.do(lambda c: public_keys(c, bench.tenant))
    assert verify_compact(token, SEAL, keys)[0] == b"sealed before"
    bench.do(lambda c: revoke_key(c, bench.tenant, second.kid, "operator", "遗失", OVER))
    with pytest.raises(Conflict) as refused:
        bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, OVER))
    assert refused.value.code == "key.revoked"


def test_while_the_token_is_away_nothing_is_sealed_and_afterwards_it_goes_on(
    bench: Bench, office: Open, tokens: Path
) -> None:
    own = office("")
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut())

    def sealing() -> str:
        return bench.do(lambda c: seal(c, bench.tenant, batch.id, own, MAKER, OVER), OVER).state

    bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, CUT))
    with away(tokens):
        with pytest.raises(Unavailable) as told:
            sealing()
        assert told.value.code == "token.away"
        assert "clearing" in told.value.text.zh
        assert bench.read(batch).state == "in_publicity"
    assert sealing() == "sealed"


def test_while_the_token_is_away_nothing_is_instructed_and_afterwards_it_goes_on(
    bench: Bench, office: Open, tokens: Path
) -> None:
    own = office("ES256")
    batch = bench.released("100.00")
    bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.PAYOUT, own, "operator", OVER), OVER)
    with away(tokens):
        with pytest.raises(Unavailable):
            bench.do(lambda c: instruct(c, bench.tenant, batch.id, own, OVER), OVER)
        assert bench.read(batch).state == "released"
    assert bench.do(lambda c: instruct(c, bench.tenant, batch.id, own, OVER), OVER).state == "instructed"


def test_a_key_in_a_token_is_not_replaced_by_another_where_no_token_is_set_up(bench: Bench, office: Open) -> None:
    bench.do(lambda c: ensure_payout_key(c, bench.tenant, office(""), CUT))
    with pytest.raises(Unavailable) as told:
        bench.do(lambda c: ensure_payout_key(c, bench.tenant, OFFICE, OVER))
    assert told.value.code == "token.away"


def test_a_wrong_pin_is_told_and_the_next_right_one_works(bench: Bench, office: Open, tmp_path: Path) -> None:
    own = office("")
    (tmp_path / "token-pin").write_text("00000000", encoding="utf-8")
    with pytest.raises(Unavailable):
        bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, CUT))
    (tmp_path / "token-pin").write_text("87654321", encoding="utf-8")
    assert bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, CUT)).tenant == bench.tenant


def test_only_the_tenants_that_are_named_have_their_keys_in_the_token(bench: Bench, office: Open) -> None:
    own = office("")
    folder = own.secrets.folder
    assert folder is not None
    with (folder / SETTINGS_FILE).open("a", encoding="utf-8") as settings:
        settings.write('tenants = ["elsewhere"]\n')
    bench.do(lambda c: ensure_payout_key(c, bench.tenant, own, CUT))
    [row] = bench.rows("select token_uri from signing_key where tenant = %s", bench.tenant)
    assert row.token_uri is None


@pytest.mark.parametrize("text", ["module =", 'module = "x"', 'module = "x"\nlabel = "y"\npin_file = "z"\nmore = 1',
                                  'module = "x"\nlabel = "y"\npin_file = "z"\nalgorithm = "RS256"',
                                  'module = "x"\nlabel = "y"\npin_file = "z"\ntenants = "jiangsu"'])  # fmt: skip
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / SETTINGS_FILE
    assert read_token(path) is None
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TokenSettingsError, match=SETTINGS_FILE):
        read_token(path)
