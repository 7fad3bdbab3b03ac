"""Lists as commands show them: none ends with the first page."""

from clearing.cli.pages import PAGE, every

NUMBERS = list(range(2 * PAGE + 3))


def page(after: int | None, most: int) -> list[int]:
    start = 0 if after is None else after + 1
    return NUMBERS[start : start + most]


def test_every_row_of_a_list_is_read_however_many_pages_it_takes() -> None:
    assert every(page, int) == NUMBERS


def test_a_list_without_rows_is_asked_for_once() -> None:
    asked: list[tuple[int | None, int]] = []

    def empty(after: int | None, most: int) -> list[int]:
        asked.append((after, most))
        return []

    assert every(empty, int) == []
    assert asked == [(None, PAGE)]
