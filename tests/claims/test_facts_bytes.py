"""Facts are stored as the same bytes that the general printer makes of them."""

from hypothesis import given
from hypothesis import strategies as st

from clearing.claims.facts import Facts, facts_bytes
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
st.register_type_strategy(Money, st.builds(Money, st.integers(-(10**12), 10**12)))


@given(st.builds(Facts, contract_number=TEXTS), st.from_type(Facts))
def test_facts_are_printed_as_by_the_general_printer(plain: Facts, full: Facts) -> None:
    for facts in (plain, full):
        assert facts_bytes(facts) == canonical_bytes(facts)
