"""The running service asks a platform's outlet by itself; the command line and the figures say how it stands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from connectors.simulators.outlet import Outlet, outlet_serving
from tests.intake.bodies import JIANGSU, claim
from tests.scenarios.callers import Callers
from tests.scenarios.test_claims_over_http import ON
from tests.service.running import Api, RunningService, until


def command(service: RunningService, *arguments: object) -> tuple[int, str]:
    program = [sys.executable, "-m", "clearing", "--data-dir", str(service.data_dir), "pull"]
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_scheduler_pulls_and_an_operator_sees_it_at_the_shell(
    service: RunningService, callers: Callers, tmp_path: Path
) -> None:
    platform, outlet = callers.platform("jssic", "jiangsu"), Outlet("the-platforms-own-token", page_size=2)
    given: list[Any] = [claim(JIANGSU, on=ON) for _ in range(3)]
    outlet.put(given[0], {"bad": 1}, given[1])
    token = tmp_path / "token"
    token.write_text(outlet.token + "\n", encoding="utf-8")
    with outlet_serving(outlet) as address:
        arguments = ("--client", platform.client_id, "--tenant", "jiangsu", "--url", address, "--token-file", token)
        code, source_id = command(service, "add", *arguments, "--every", 1)
        assert code == 0, source_id
        path = f"/v1/pull-sources/{source_id.strip()}"

        def stored(count: int) -> Any:
            state = platform.get(path).json
            return state if state["stored"] == count else None

        assert until(lambda: stored(2), 30)["dead_letters_open"] == 1
        outlet.put(given[2])
        until(lambda: stored(3), 30)
        assert [_state(platform, one) for one in given] == ["in_review"] * 3
        code, listed = command(service, "list", "--json")
        [one] = [row for row in json.loads(listed)["items"] if row["id"] == source_id.strip()]
        assert (code, one["state"], one["dead_letters_open"]) == (1, "live", 1)
        figures = Api(service.address).get("/metrics").body.decode()
        assert 'clearing_pull_sources{state="live"} 1.0' in figures
        assert "clearing_dead_letters_open 1.0" in figures
        code, listed = command(service, "letters", "--source", source_id.strip(), "--json")
        [letter] = json.loads(listed)["items"]
        assert (code, letter["state"], letter["code"]) == (1, "open", "form.invalid")
        assert "form.invalid" in command(service, "letters")[1]
        code, said = command(service, "replay", source_id.strip(), "--person", "运维-陈")
        assert (code, "form.invalid" in said) == (1, True)
        assert command(service, "poll", source_id.strip(), "--person", "运维-陈") == (0, "已排入。 It is due.\n")
        assert command(service, "disable", source_id.strip(), "--person", "运维-陈")[0] == 0
        assert platform.get(path).json["state"] == "disabled"
        code, said = command(service, "poll", source_id.strip(), "--person", "运维-陈")
        assert (code, "It is due" in said) == (2, False)


def _state(platform: Api, body: Any) -> str:
    [found] = platform.get(f"/v1/claims?external_id={body['external_id']}").json["items"]
    return str(found["state"])
