"""The other resources of Text Marketer: credits, groups, keywords, accounts; and the limit of reading."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from worker.sandbox.credit import Credit
from worker.sandbox.gateway import REFUSED_USER, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.textmarketer.account import Accounts, Groups, shown
from worker.sandbox.textmarketer.knobs import TextmarketerKnobs
from worker.sandbox.textmarketer.request import FaultError, Login
from worker.sandbox.textmarketer.xml import element

_ENDLESS = 1_000_000
_DTDS = {"groups": "groups_get", "keywords": "keywords_get", "account": "account_get"}


class Panel:
    """What the accounts have beside messages."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.credit = Credit()
        self.groups: defaultdict[str, Groups] = defaultdict(Groups)
        self._counts = counts
        self._accounts = Accounts()
        self._reads: defaultdict[str, deque[float]] = defaultdict(deque)

    def keep_reads(self, user: str, *, knobs: TextmarketerKnobs) -> None:
        """Let a call that reads pass its limit.

        Raises:
            RefusalError: there were too many; this one counts as well.
        """
        limit, reads = knobs.read_limit, self._reads[user]
        if limit is None:
            return
        now_s, window_s = time.monotonic(), knobs.read_window_s
        while reads and reads[0] <= now_s - window_s:
            reads.popleft()
        reads.append(now_s)
        if len(reads) > limit:
            self._counts["violations"] += 1
            span = f"{math.ceil(window_s / 60)} minute(s)"
            text = f"Your {len(reads)} requests exceed the maximum of {limit} requests within {span}."
            raise RefusalError(503, text, messages=0)

    def answer(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        who: Login,
        given: Mapping[str, str],
        knobs: TextmarketerKnobs,
    ) -> tuple[str, str]:
        """Return the name of the answer's DTD and its content."""
        name, rest = path[0], path[1:]
        if name == "credits":
            return self._credits(method, user=who.user, given=given, knobs=knobs)
        if name == "group":
            return self._group(method, "/".join(rest), groups=self.groups[who.user], given=given)
        calls: Mapping[str, Callable[[], str]] = {
            "groups": self.groups[who.user].listed,
            "keywords": lambda: _keyword("/".join(rest), taken=knobs.taken_keywords),
            "account": lambda: self._account(method, rest, who=who, given=given, knobs=knobs),
        }
        return _DTDS[name], calls[name]()

    def _left(self, user: str, *, knobs: Knobs) -> int:
        left = self.credit.left(user, knobs=knobs)
        return int(left) if left < math.inf else int(_ENDLESS - self.credit.spent(user))

    def _credits(self, method: str, *, user: str, given: Mapping[str, str], knobs: Knobs) -> tuple[str, str]:
        if method == "GET":
            return "credits_get", element("credits", self._left(user, knobs=knobs))
        quantity, target = given.get("quantity", ""), given.get("target", "")
        amount = int(quantity[:9]) if quantity.isdecimal() else 0
        if not 0 < amount <= self._left(user, knobs=knobs):
            raise FaultError((0, "there are not enough credits, or the quantity is not positive"))
        if not target.isdecimal():
            target = given.get("target_username", "") if given.get("target_password") else ""
        if not target or target == REFUSED_USER:
            raise FaultError((1, "there is no such target"))
        before = {"source": self._left(user, knobs=knobs), "target": self._left(target, knobs=knobs)}
        self.credit.take(user, amount)
        self.credit.give_back(target, amount)
        after = {"source": self._left(user, knobs=knobs), "target": self._left(target, knobs=knobs)}
        lines = [
            element(f"{whose}_credits_{when}", credits_[whose])
            for whose in before
            for when, credits_ in (("before", before), ("after", after))
        ]
        return "credits_post", "".join(lines)

    def _group(self, method: str, name: str, *, groups: Groups, given: Mapping[str, str]) -> tuple[str, str]:
        if method == "GET":
            return "group_get", groups.find(name).written()
        if method == "PUT":
            return "group_get", groups.create(name)
        name = name or given.get("id", given.get("name", ""))  # the old way to name it
        return "group_post", groups.add(name, numbers=given.get("numbers", ""))

    def _account(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        who: Login,
        given: Mapping[str, str],
        knobs: TextmarketerKnobs,
    ) -> str:
        own = self._accounts.own(who)
        if path == ("sub",) and method != "GET":
            if not knobs.sub_accounts:
                raise RefusalError(403, "the account may not create accounts", messages=0)
            return shown(self._accounts.create(given), credit=0)
        if method == "PUT":
            raise RefusalError(405, "the method is not available for this resource", messages=0)
        account = self._accounts.find(path[0]) if path else own
        if method == "POST":
            self._accounts.change(account, given=given)
        credit = self._left(who.user, knobs=knobs) if account is own else 0
        return shown(account, credit=credit)


def _keyword(keyword: str, *, taken: list[str]) -> str:
    if not keyword:
        raise RefusalError(400, "the keyword is not named", messages=0)
    is_taken = keyword.lower() in map(str.lower, taken)
    return element("available", str(not is_taken).lower()) + element("recycle", "false")
