"""The groups, keywords and accounts of Text Marketer, which only the programs of others use."""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from worker.sandbox.gateway import RefusalError
from worker.sandbox.textmarketer.request import FaultError, Login
from worker.sandbox.textmarketer.xml import element, elements, iso_8601

_GROUP_NAME = re.compile(r"(?![0-9]+$)[0-9A-Za-z-]{1,25}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_-]*", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_UK = re.compile(r"(?:44|0)[0-9]{9,10}", re.ASCII)  # the vendor's own example is not a mobile number
_WORD_LENGTHS, _COMPANY_LENGTHS = range(5, 21), range(3, 41)
# Parameters of a change, and the elements that show them.
_WORDS = {
    "account_username": "username",
    "account_password": "password",
    "account_api_username": "api_username",
    "account_api_password": "api_password",
}


@dataclass(kw_only=True, slots=True)
class Group:
    """Numbers under a name; a stop group holds those that opted out."""

    ident: int
    name: str
    is_stop: bool = False
    numbers: dict[str, None] = field(default_factory=dict)

    def written(self, *, whole: bool = True) -> str:
        """Write the group, with its numbers or their count only."""
        inner = [element("number", number) for number in self.numbers] if whole else []
        is_stop = str(self.is_stop).lower()
        return elements(
            "group", inner, name=self.name, numbers=len(self.numbers), id=self.ident, is_stop=is_stop
        )


class Groups:
    """The groups of one account; there is always a stop group."""

    def __init__(self) -> None:
        self._groups = [Group(ident=56, name="STOP", is_stop=True)]

    @property
    def stopped(self) -> set[str]:
        """The numbers that opted out."""
        return {number for group in self._groups if group.is_stop for number in group.numbers}

    def listed(self) -> str:
        """Write all groups without their numbers."""
        inner = [group.written(whole=False) for group in self._groups]
        return elements("groups", inner, quantity=len(inner))

    def find(self, name: str) -> Group:
        """Return a group by its name or id.

        Raises:
            RefusalError: there is none.
        """
        if not name:
            raise FaultError((0, "the group is not named"))
        for group in self._groups:
            if name.lower() == group.name.lower() or name == str(group.ident):
                return group
        raise RefusalError(404, "there is no such group", messages=0)

    def create(self, name: str) -> str:
        """Add an empty group and write it."""
        if not name:
            raise FaultError((0, "the group is not named"))
        if not _GROUP_NAME.fullmatch(name):
            raise FaultError((2, "a group's name has up to 25 letters, digits and -, and not digits only"))
        if any(name.lower() == group.name.lower() for group in self._groups):
            raise FaultError((1, "there is a group of that name"))
        group = Group(ident=self._groups[-1].ident + 1, name=name)
        self._groups.append(group)
        return group.written()

    def add(self, name: str, *, numbers: str) -> str:
        """Add numbers, as far as they are new and did not opt out, and write what became of each."""
        group, given = self.find(name), [each.strip() for each in numbers.split(",") if each.strip()]
        if not given:
            raise FaultError((2, "there are no numbers to add"))
        digits = [each.removeprefix("+") for each in given]
        digits = [f"44{each[1:]}" if each.startswith("0") else each for each in digits]
        if not all(map(_NUMBER.fullmatch, digits)):
            raise FaultError((3, "a number is not valid"))
        stopped = set() if group.is_stop else self.stopped
        fates: dict[str, list[str]] = {"added": [], "stopped": [], "duplicates": []}
        for each in digits:
            fate = "stopped" if each in stopped else "duplicates" if each in group.numbers else "added"
            fates[fate].append(element("number", each))
            if fate == "added":
                group.numbers[each] = None
        return "".join(elements(fate, inner, quantity=len(inner)) for fate, inner in fates.items())


class Accounts:
    """The details of accounts, by their ids; the own one is made when it is first asked for."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, str]] = {}
        self._own: dict[str, str] = {}

    def own(self, login: Login) -> dict[str, str]:
        """Return the details of the account that calls."""
        if login.user not in self._own:
            account = _account(api_username=login.user, api_password=login.secret, company_name="Acme")
            self._own[login.user] = account["account_id"]
            self._accounts[account["account_id"]] = account
        return self._accounts[self._own[login.user]]

    def find(self, ident: str) -> dict[str, str]:
        """Return the details of an account.

        Raises:
            RefusalError: there is none.
        """
        if ident not in self._accounts:
            raise RefusalError(404, "there is no such account", messages=0)
        return self._accounts[ident]

    def change(self, account: dict[str, str], *, given: Mapping[str, str]) -> dict[str, str]:
        """Set the details that are given."""
        account |= self._checked(given)
        return account

    def create(self, given: Mapping[str, str]) -> dict[str, str]:
        """Add an account below the own one."""
        changes = self._checked(given)
        if "company_name" not in changes:
            raise FaultError((4, "company_name is too short"))
        if not {"notification_email", "notification_mobile"} & changes.keys():
            raise FaultError((2, "give notification_email or notification_mobile"))
        account = _account(**changes)
        account |= {"api_username": account["username"], "api_password": account["password"]}
        self._accounts[account["account_id"]] = account
        return account

    def _checked(self, given: Mapping[str, str]) -> dict[str, str]:
        changes = {shown: given[name] for name, shown in _WORDS.items() if name in given}
        for name, value in changes.items():
            _check(4, name, is_good=len(value) in _WORD_LENGTHS)
            _check(5, name, is_good=bool(_WORD.fullmatch(value)))
        users = {account["username"] for account in self._accounts.values()}
        _check(7, "username", is_good=changes.get("username") not in users)
        checks: dict[str, tuple[int, Callable[[str], object]]] = {
            "company_name": (4, lambda value: len(value) in _COMPANY_LENGTHS),
            "notification_email": (2, _EMAIL.fullmatch),
            "notification_mobile": (3, _UK.fullmatch),
        }
        for name, (code, is_good) in checks.items():
            if name in given:
                _check(code, name, is_good=bool(is_good(given[name])))
                changes[name] = given[name]
        return changes


def shown(account: Mapping[str, str], *, credit: int) -> str:
    """Write the details of an account."""
    details = sorted({**account, "credits": str(credit)}.items())
    return elements("account", [element(name, value) for name, value in details])


def _check(code: int, name: str, *, is_good: bool) -> None:
    if not is_good:
        raise FaultError((code, f"{name} is already in use" if code == 7 else f"{name} is not valid"))  # noqa: PLR2004 - the documented code


def _account(**details: str) -> dict[str, str]:
    account = {
        "account_id": secrets.token_hex(12),
        "company_name": "",
        "create_date": iso_8601(time.time()),
        "notification_email": "",
        "notification_mobile": "",
        "username": secrets.token_hex(5),
        "password": secrets.token_hex(5),
        "api_username": "",
        "api_password": "",
    }
    return account | details
