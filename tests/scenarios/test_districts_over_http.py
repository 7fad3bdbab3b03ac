"""Districts over HTTP and by command: a city bureau's reviewer sees and decides only claims of its city."""

import json
from random import SystemRandom

from clearing.demonstration.parties import Region, enterprise_in
from tests.intake.bodies import JIANGSU, claim
from tests.scenarios.callers import Callers
from tests.scenarios.test_claims_over_http import ON, stored
from tests.service.running import RunningService

APPROVE = {"stage": "center", "outcome": "approve"}


def test_a_reviewer_bound_to_a_city_finds_no_other_citys_claim(service: RunningService, callers: Callers) -> None:
    importer = callers.platform("jssic", "jiangsu", scopes=("claims:write", "claims:import"))
    own, other = (
        stored(importer, claim(JIANGSU, by=enterprise_in(SystemRandom(), Region(division, city, 1)), on=ON))["id"]
        for division, city in (("320312", "徐州"), ("320106", "南京"))
    )
    city = callers.person("徐州市局", "reviews:write", tenants=("jiangsu",))
    assert city.get(f"/v1/claims/{other}").status == 200
    admin = callers.person("省管理员", "policies:write", tenants=("jiangsu",))
    bound = {"person": "徐州市局", "division": "320300", "ground": "苏科〔2024〕1号"}
    own_hand = callers.person("徐州市局", "policies:write", tenants=("jiangsu",))
    assert own_hand.post("/v1/tenants/jiangsu/districts", bound).code == "district.own"
    made = admin.post("/v1/tenants/jiangsu/districts", bound)
    assert (made.status, made.json["division"]) == (201, "320300")
    foreign, absent = city.get(f"/v1/claims/{other}"), city.get("/v1/claims/01900000-0000-7000-8000-000000000000")
    assert (foreign.status, foreign.json["detail"]) == (404, absent.json["detail"])
    for part in ("trace", "history", "explanation"):
        assert city.get(f"/v1/claims/{other}/{part}").status == 404
    seen = {each["enterprise"]["division"][:4] for each in city.get("/v1/claims?limit=200").json["items"]}
    assert seen == {"3203"}
    assert city.post(f"/v1/claims/{other}/reviews", APPROVE).status == 404
    decided = city.post(f"/v1/claims/{own}/reviews", APPROVE)
    assert (decided.status, decided.json["state"]) == (200, "approved")
    assert [each["id"] for each in admin.get("/v1/tenants/jiangsu/districts").json["items"]][-1] == made.json["id"]
    ended = admin.post(f"/v1/tenants/jiangsu/districts/{made.json['id']}/end", {"reason": "调离"})
    assert (ended.status, city.get(f"/v1/claims/{other}").status) == (200, 200)


def test_a_district_is_bound_listed_and_ended_by_command(service: RunningService) -> None:
    def run(*arguments: str) -> dict[str, object]:
        answer = service.run("district", *arguments, "--tenant", "jiangsu", "--json").stdout
        [one] = [each for each in json.loads(answer)["items"] if each["person"] == "命令绑定"]
        return dict(one)

    bound = run("bind", "--person", "命令绑定", "--division", "320700", "--ground", "连科〔2024〕1号", "--by", "管理员")
    assert (bound["division"], run("list")["id"]) == ("320700", bound["id"])
    assert run("end", str(bound["id"]), "--by", "管理员", "--reason", "调离")["end_reason"] == "调离"
