"""The part of the story in which platforms are told: webhooks, receipts, and the keys of clients."""

from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey

from clearing.pulling.pace import Pace
from clearing.pulling.puller import Puller
from clearing.receipts import issue_receipts
from clearing.webhooks.courier import Courier
from clearing.workers import deliver_notices
from connectors.simulators.outlet import Manner, Outlet, outlet_serving
from tenants.client_keys import add_key, use_assertion
from tenants.client_keys import revoke_key as revoke_client_key
from tenants.credentials import create_client, revoke_client
from tenants.principal import SCOPES
from tenants.request_signature import read_statement, sign
from tenants.signed_requests import keep_signed


def enrol(story: Any) -> None:
    """Everyone who takes part."""
    for platform in ("jssic", "delta", "shanxi-inno", "wujiang-local"):
        story.enrol(platform, platform)
    people = ("auditor", "administrator", "second administrator", "maker", "releaser")
    for person in (*people, "approver", "accepter", "operator"):
        story.enrol(person, person=True)
    for stage in ("center", "authority", "city", "province"):
        story.enrol(f"reviewer of {stage}", person=True)
        story.enrol(f"second reviewer of {stage}", person=True)
    with story.service.engine.begin() as connection:
        gone = create_client(connection, "delta", ("qingpu",), SCOPES, None, story.service.machine.now())
        revoke_client(connection, gone.client_id, story.service.machine.now())


def add_keys(story: Any) -> None:
    """Two public keys of a client, one of them revoked, and an assertion that was used."""
    with story.service.engine.begin() as connection:
        client = create_client(connection, "jssic", ("jiangsu", "wujiang"), SCOPES, None, story.service.machine.now())
    story.signer = client.client_id
    kids = [_add_key(story, client.client_id) for _ in range(2)]
    story.do(lambda work: revoke_client_key(work, client.client_id, kids[0], "operator-chen"))
    for jti, year in (("one", 2100), ("two", 2101)):
        later = datetime.fromisoformat(f"{year}-01-01T00:00:00+08:00")
        with story.service.engine.begin() as connection:
            assert use_assertion(connection, client.client_id, jti, later, story.service.machine.now())

    _sign(story, client.client_id)


def _add_key(story: Any, client_id: str, key: ECKey | None = None) -> str:
    jwk = (key or ECKey.generate_key("P-256")).as_dict(private=False)
    return str(story.do(lambda work: add_key(work, client_id, jwk, "operator-chen")))


def _sign(story: Any, client_id: str) -> None:
    """Two requests that the client signed, one of them with an empty body."""
    key, sealer = ECKey.generate_key("P-256"), story.service.vault.sealer
    _add_key(story, client_id, key)
    for body in (b"", "{一份内容}".encode()):
        made = read_statement(sign(key, "POST", "/v1/claims", body, story.service.machine.now()))
        story.do(
            lambda work, made=made, body=body: keep_signed(work, sealer, client_id, ("wujiang", "jiangsu"), made, body)
        )


def hold_to_terms(story: Any) -> None:
    """What tenants ask of clients: of the one that signs, twice of another, and a ceiling of one that submits."""
    clients = story.call("administrator", "GET", "/v1/tenants/jiangsu/clients?limit=500").get_json()["items"]
    named = {one["platform"]: one["client_id"] for one in clients if one["platform"] and not one["revoked_at"]}
    free = {"signature_required": False, "networks": [], "ceiling": None}
    for tenant, client_id, terms in (
        ("jiangsu", story.signer, {"networks": ["203.0.113.0/24", "2001:db8::/32"], "ceiling": "1.00"}),
        ("jiangsu", story.signer, {"networks": ["203.0.113.0/24"], "ceiling": "90000000000.00"}),
        ("wujiang", story.signer, {"signature_required": True}),
        ("wujiang", named["delta"], {"ceiling": "80000000000.00"}),
    ):
        story.call("administrator", "PUT", f"/v1/tenants/{tenant}/clients/{client_id}/terms", free | terms)


def register_webhooks(story: Any) -> None:
    """One that answers, one that never does, and one that is disabled; nothing is sent before the story's end."""
    made = [
        story.call(platform, "POST", "/v1/webhooks", {"tenant": tenant, "url": f"http://127.0.0.1:{port}/told"})
        for platform, tenant, port in (
            ("jssic", "jiangsu", 2000),
            ("delta", "wujiang", 2001),
            ("delta", "wujiang", 2002),
        )
    ]
    story.call("delta", "POST", f"/v1/webhooks/{made[-1].get_json()['id']}/disable")


def send_webhooks(story: Any) -> None:
    """One round with nobody there; then Jiangsu's platform is there for some of what is due, and has it told again."""
    assert story.do(issue_receipts) > 1
    deliver_notices(story.service)
    courier = Courier(story.service)
    assert courier.round() > 0
    endpoint = story.call("jssic", "GET", "/v1/webhooks").get_json()["items"][0]
    with story.service.engine.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", (",".join(story.tenants),))
        told = connection.exec_driver_sql(  # as the courier records what was answered
            "update webhook_message set attempts = attempts + 1, last_answer = '200', done_at = next_attempt_at "
            "where endpoint_id = %s and seq in (select seq from webhook_message where endpoint_id = %s order by seq limit 9)",
            (endpoint["id"], endpoint["id"]),
        )
        assert told.rowcount == 9
    again = story.call(
        "jssic", "POST", f"/v1/webhooks/{endpoint['id']}/replay", {"after": endpoint["starts_after"] + 6}
    )
    assert again.get_json()["messages"] > 0


def pull(story: Any, *bodies: Any) -> None:
    """Two outlets: one that gives a claim and three records that cannot be read, one that fails."""
    first, second = Outlet("the-first-outlets-token", page_size=2), Outlet("the-second-outlets-token")
    first.put({"bad": 1}, *bodies, {"bad": 2}, {"bad": 3})
    second.always = Manner.ERROR
    with outlet_serving(first) as one, outlet_serving(second) as other:
        made = [
            story.call("jssic", "POST", "/v1/pull-sources", {"tenant": tenant, "url": url, "token": outlet.token})
            for tenant, url, outlet in (("jiangsu", one, first), ("wujiang", other, second))
        ]
        assert Puller(story.service, Pace(deadline_seconds=10)).round() == 2
    story.claims |= {body["external_id"]: story.call("jssic", "POST", "/v1/claims", body).get_json() for body in bodies}
    ids = [answer.get_json()["id"] for answer in made]
    story.call("jssic", "POST", f"/v1/pull-sources/{ids[0]}/token", {"token": "another-token-for-it"})
    story.call("jssic", "POST", f"/v1/pull-sources/{ids[1]}/disable")
    letters = story.call("jssic", "GET", "/v1/dead-letters?state=open").get_json()["items"]
    assert len(letters) == 3
    story.call("jssic", "POST", f"/v1/dead-letters/{letters[0]['id']}/dismiss", {"reason": "重复导出"})
    corrected = {"record": bodies[-1]}
    story.call("jssic", "POST", f"/v1/dead-letters/{letters[1]['id']}/replay", corrected)
