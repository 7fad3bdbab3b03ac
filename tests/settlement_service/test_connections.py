"""Which bank a tenant sends to: a file of the operator, refused by the member that is wrong; the files it wants."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from settlement.bank.connections import BankConnection, ConnectionsError, agent_of, read_connections
from settlement.batches.delivery import instruct
from settlement.batches.seal import seal
from settlement.formats.folder import MEDIA_TYPES
from settlement.offline import verify_batch
from settlement.signatures.keys import jwks
from tests.settlement_service.bank_files import batch_file
from tests.settlement_service.bench import MAKER, OFFICE, OVER, Bench

GOOD = """
[jiangsu]
method = "http"
address = "https://bank.example/clearing"
token_file = "token"
automatic = true
pain = "11"

[wujiang]
method = "folder"
folder = "/mnt/bank"
table = "treasury"
encoding = "gb18030"
"""


AGENT = """
[settlement_agents.delta]
account_name = "长三角清算中心"
account_number = "6222020200112233"
bank_name = "上海银行"
cnaps = "325290000012"
method = "folder"
folder = "/mnt/bank/agent"
"""


def read(tmp_path: Path, text: str) -> dict[str, BankConnection]:
    path = tmp_path / "banks.toml"
    path.write_text(text, encoding="utf-8")
    return dict(read_connections(path))


def test_the_file_says_how_each_tenant_reaches_its_bank(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == {
        "jiangsu": BankConnection(
            "http", "https://bank.example/clearing", tmp_path / "token", automatic=True, pain_version="11"
        ),
        "wujiang": BankConnection("folder", "/mnt/bank", table="treasury", csv_encoding="gb18030"),
    }
    assert read_connections(tmp_path / "absent.toml") == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nmethod = 'ftp'", "a.method"),
        ("[a]\nmethod = 'folder'\nfolder = 'relative'", "a.folder"),
        ("[a]\nmethod = 'http'\naddress = 'http://bank.example/'", "a.address"),
        ("[a]\nmethod = 'http'\naddress = 'https://bank.example/?x=1'", "a.address"),
        ("[a]\nmethod = 'http'\naddress = 'https://[::1'", "a.address"),
        ("[a]\nmethod = 'folder'\nfolder = '/x'\npain = '03'", "a.pain"),
        ("[a]\nmethod = 'folder'\nfolder = '/x'\nautomatic = 1", "a.automatic"),
        ("[a]\nmethod = 'folder'\nfolder = '/x'\nencoding = 'latin-1'", "a.encoding"),
        ("[a]\nmethod = 'folder'\nfolder = '/x'\npasword = 'x'", "a:"),
        ("a = 1", "a:"),
        ("[a", "banks.toml"),
    ],
)
def test_a_wrong_member_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConnectionsError) as refused:
        read(tmp_path, text)
    assert named in str(refused.value)


def test_a_tenant_that_there_is_not_is_named_and_no_connection_is_made(tmp_path: Path) -> None:
    path = tmp_path / "banks.toml"
    path.write_text(GOOD.replace("[wujiang]", "[wujian]"), encoding="utf-8")
    with pytest.raises(ConnectionsError, match=r"banks\.toml: wujian: .*现有 jiangsu、wujiang / there is no"):
        read_connections(path, tenants=("wujiang", "jiangsu"))
    path.write_text(GOOD + AGENT, encoding="utf-8")
    assert set(read_connections(path, tenants=("wujiang", "jiangsu"))) == {"jiangsu", "wujiang", agent_of("delta")}


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    connection = read(tmp_path, GOOD)["jiangsu"]
    with pytest.raises(ConnectionsError, match="token_file"):
        connection.port()


@pytest.mark.parametrize("pain", ["09", "11"])
def test_a_batchs_files_are_those_that_its_tenants_bank_wants(bench: Bench, tmp_path: Path, pain: str) -> None:
    wanted = BankConnection("folder", "/x", pain_version=pain, table="treasury", csv_encoding="gb18030")
    office = replace(OFFICE, banks={bench.tenant: wanted})
    bench.approve("140000.00", "0.01")
    bench.set_account()
    batch = bench.publish(bench.cut())
    batch = bench.do(lambda c: seal(c, bench.tenant, batch.id, office, MAKER, OVER), OVER)
    batch = bench.release(batch)
    batch = bench.do(lambda c: instruct(c, bench.tenant, batch.id, office, OVER), OVER)
    for name in MEDIA_TYPES:
        (tmp_path / name).write_bytes(bench.do(partial(batch_file, batch=batch, name=name)))
    assert f"pain.001.001.{pain}" in (tmp_path / "pain.001.xml").read_text(encoding="utf-8")
    table = (tmp_path / "payouts.csv").read_bytes().decode("gb18030")
    assert "支付金额（大写）" in table
    assert "壹拾肆万元整" in table
    assert verify_batch(tmp_path, bench.do(lambda c: jwks(c, bench.tenant))) == []


REAL = {
    "a folder": "[jiangsu]\nmethod = 'folder'\nfolder = '/mnt/bank'",
    "a server elsewhere": "[jiangsu]\nmethod = 'http'\naddress = 'https://bank.example/'",
    "an agent's": (
        "[settlement_agents.delta]\naccount_name = '户'\naccount_number = '95580000'\nbank_name = '行'\n"
        "cnaps = '102301000017'\nmethod = 'folder'\nfolder = '/mnt/agent'"
    ),
}


@pytest.mark.parametrize("text", REAL.values(), ids=REAL.keys())
def test_a_demonstration_does_not_start_with_a_way_to_a_bank(tmp_path: Path, text: str) -> None:
    path = tmp_path / "banks.toml"
    path.write_text(text, encoding="utf-8")
    assert len(read_connections(path)) == 1
    with pytest.raises(ConnectionsError) as refused:
        read_connections(path, demonstrates=True)
    for words in ("演示数据", "holds a demonstration", "--data-dir", str(path)):
        assert words in str(refused.value)


def test_a_demonstration_may_be_answered_by_a_server_of_its_own_machine(tmp_path: Path) -> None:
    path = tmp_path / "banks.toml"
    path.write_text("[jiangsu]\nmethod = 'http'\naddress = 'http://127.0.0.1:9/'", encoding="utf-8")
    assert read_connections(path, demonstrates=True)["jiangsu"].stays_here
