"""A support record's content is compared by the bytes that the general printer makes of it."""

from hypothesis import given
from hypothesis import strategies as st

from clearing.claims.support_columns import content
from connectors.submission import SupportKey, SupportRecord
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.builds(
    SupportKey,
    kind=TEXTS,
    value=TEXTS,
    amount=st.none() | st.builds(Money, st.integers(0, 10**12)),
    provider_uscc=st.none() | TEXTS,
)
RECORDS = st.builds(
    SupportRecord,
    platform=TEXTS,
    external_id=TEXTS,
    tenant=TEXTS,
    enterprise_uscc=TEXTS,
    keys=st.lists(KEYS, max_size=3).map(tuple),
    supported_on=st.dates(),
)


@given(RECORDS)
def test_the_content_of_a_record_is_its_canonical_form(one: SupportRecord) -> None:
    assert content(one) == canonical_bytes(
        {
            "platform": one.platform,
            "external_id": one.external_id,
            "tenant": one.tenant,
            "enterprise_uscc": one.enterprise_uscc,
            "supported_on": one.supported_on,
            "keys": [{"kind": k.kind, "value": k.value, "amount": k.amount, "by": k.provider_uscc} for k in one.keys],
        }
    )
