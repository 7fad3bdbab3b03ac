"""Why somebody did not come in by a provider: what the person is told with the next step, and what the log is told."""

from typing import Final

from tenants.kernel.errors import Conflict, Forbidden, Malformed, Problem, Text, Unauthenticated, Unavailable

RETRY_SECONDS: Final = 30

_ELSE: Final = Text("也可以用密码登录。", "You can also sign in by password.")


class NotVouchedError(Forbidden):
    """What the provider said vouches for nobody; ``reason`` is for the operator, and is not shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "sign_in.not_vouched",
            f"统一身份认证的答复未通过核验，没有登录。请重新开始；仍不成功请告知运维人员。{_ELSE.zh}",
            "The provider's answer did not stand the checks, so you are not signed in. Start again; if it fails again, "
            f"tell the operator. {_ELSE.en}",
        )
        self.reason = reason


class AwayError(Unavailable):
    """The provider cannot be asked now; ``reason`` is for the operator, and is not shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "sign_in.provider_away",
            "统一身份认证现在没有答复。请用密码登录，或过一会儿再试。",
            "The provider does not answer now. Sign in by password, or try again later.",
            retry_after_seconds=RETRY_SECONDS,
        )
        self.reason = reason


def lost() -> Problem:
    """The browser brings back another sign-in than the one it began here, or one that took too long."""
    return Malformed(
        "sign_in.lost",
        f"这次登录不是在本浏览器开始的，或者已超过十分钟。请重新点击登录。{_ELSE.zh}",
        f"This sign-in did not begin in this browser, or took more than ten minutes. Start again. {_ELSE.en}",
    )


def declined() -> Problem:
    """The provider came back with an error."""
    return Forbidden(
        "sign_in.declined",
        f"统一身份认证没有完成登录（可能已取消）。请重新开始。{_ELSE.zh}",
        f"The provider did not sign you in; it may have been cancelled. Start again. {_ELSE.en}",
    )


def no_account(login: str) -> Problem:
    """Nobody who may come in here has the name that the provider gives."""
    return Forbidden(
        "sign_in.no_account",
        f"统一身份认证给出的登录名“{login}”在这里没有可用的账号。请联系区域管理员开立账号。",
        f"The provider calls you “{login}”; there is no account of that name for you here. Ask your region's "
        "administrator for one.",
    )


def too_weak() -> Problem:
    """The provider signed the person in more weakly, or longer ago, than its configuration demands."""
    return Forbidden(
        "sign_in.too_weak",
        f"您在统一身份认证的登录方式强度不够或时间过久。请在那里用要求的方式重新登录后再来。{_ELSE.zh}",
        "Your sign-in at the provider is too weak or too old. Sign in there again in the way that is demanded. "
        f"{_ELSE.en}",
    )


def another_person() -> Problem:
    """The provider gives a name that stood for somebody else there when it last opened this account."""
    return Forbidden(
        "sign_in.another_person",
        "这个登录名在统一身份认证中已换成另一个身份，没有登录。本人请用密码登录并修改密码，之后即可重新使用；否则请告知区域管理员。",
        "At the provider this name now belongs to another identity, so you are not signed in. If it is you, sign in "
        "by password and change it, after which this works again; otherwise tell your region's administrator.",
    )


def wrong_code() -> Problem:
    """The code did not open the door; nothing tells a wrong one from a door that is closed for a while."""
    return Unauthenticated(
        "sign_in.wrong_code",
        "动态码不正确，或尝试次数过多需等待。动态码用过一次后须等下一个。",
        "The code is wrong, or there were too many tries and you have to wait. A code that was used once does not open "
        "again: wait for the next.",
    )


def no_way_out() -> Problem:
    """The provider offers no address for signing out."""
    return Conflict(
        "sign_in.no_way_out",
        "您已退出本系统。这个统一身份认证没有提供退出地址，请到其网页退出，或关闭浏览器。",
        "You are signed out here. The provider offers no address for signing out: do it on its pages, or close the "
        "browser.",
    )
