import pytest

from connectors.directory import Programme, may_submit, platforms


def test_the_platforms_of_the_glossary_are_there_with_both_names() -> None:
    assert set(platforms()) == {
        "delta",
        "jssic",
        "shanxi-inno",
        "qingpu-local",
        "wujiang-local",
        "jiashan-local",
        "maanshan-local",
    }
    assert all(platform.name_zh and platform.name_en.isascii() for platform in platforms().values())


def test_the_delta_platform_serves_the_four_pilot_regions() -> None:
    assert set(platforms()["delta"].programmes) == {
        Programme(region, "delta") for region in ("qingpu", "wujiang", "jiashan", "maanshan")
    }


@pytest.mark.parametrize(
    ("platform", "tenant", "scheme", "may"),
    [
        ("jssic", "jiangsu", "provincial", True),
        ("shanxi-inno", "shanxi-hainan", "provincial", True),
        ("delta", "wujiang", "delta", True),
        ("wujiang-local", "wujiang", "local", True),
        ("wujiang-local", "wujiang", "delta", False),
        ("wujiang-local", "qingpu", "local", False),
        ("delta", "jiangsu", "provincial", False),
        ("delta", "wujiang", "local", False),
        ("jssic", "jiangsu", "delta", False),
        ("jssic", "shanxi-hainan", "provincial", False),
        ("nobody", "jiangsu", "provincial", False),
        ("", "", "", False),
    ],
)
def test_a_platform_submits_for_its_programmes_and_no_other(
    platform: str,
    tenant: str,
    scheme: str,
    may: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert may_submit(platform, tenant, scheme) is may


def test_the_directory_cannot_be_changed_by_a_reader() -> None:
    with pytest.raises(TypeError, match="item assignment"):
        platforms()["mine"] = platforms()["delta"]  # type: ignore[index]
