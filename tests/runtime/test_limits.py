"""The count of open calls: by address, anew in every window, with bounded memory."""

from clearing.api.limits import ADDRESSES_COUNTED, WINDOW_SECONDS, Window


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_each_address_has_its_own_count_and_a_new_one_in_every_window() -> None:
    clock = Hands()
    window = Window(2, clock)
    assert [window.takes("a") for _ in range(3)] == [True, True, False]
    assert window.takes("b")
    clock.at += WINDOW_SECONDS
    assert window.takes("a")


def test_a_flood_of_addresses_takes_no_more_memory_and_is_limited_together() -> None:
    window = Window(5, Hands())
    for number in range(ADDRESSES_COUNTED):
        assert window.takes(f"address {number}")
    taken = [window.takes(f"another {number}") for number in range(10)]
    assert taken == [True] * 5 + [False] * 5
    assert window.takes("address 1")
    assert len(window._counts) == ADDRESSES_COUNTED + 1
