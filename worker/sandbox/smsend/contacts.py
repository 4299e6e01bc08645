"""Groups and contacts of the smSend family, as far as a message can be sent to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from worker.sandbox.gateway import JsonReply, RefusalError

_PLACE = "/API/v1.0/REST"
_PAGE_SIZE = 5
_MOST_DIGITS = 9


@dataclass(kw_only=True, slots=True)
class _Group:
    name: str
    description: str
    members: set[str] = field(default_factory=set)  # ids of contacts


class Contacts:
    """The address book of the account."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._contacts: dict[str, dict[str, Any]] = {}
        self._calls: dict[tuple[str, ...], Callable[..., Response]] = {
            ("GET", "groups"): self._list,
            ("POST", "group"): self._create,
            ("PUT", "group", "*"): self._update,
            ("DELETE", "group", "*"): self._delete,
            ("POST", "group", "*", "contact", "*"): self._join,
            ("DELETE", "group", "*", "contact", "*"): self._leave,
            ("POST", "contact"): self._add,
            ("GET", "contact", "*"): self._show,
        }

    def call(self, method: str, *, path: tuple[str, ...]) -> tuple[Callable[..., Response], list[str]] | None:
        """Return what does that call, and the ids in its path; nothing where it is none of these."""
        for pattern, do in self._calls.items():
            wanted = pattern[1:]
            if pattern[0] == method and len(wanted) == len(path):
                pairs = list(zip(wanted, path, strict=True))
                if all(part in {"*", name} for part, name in pairs):
                    return do, [name for part, name in pairs if part == "*"]
        return None

    def numbers(self, names: object) -> list[str]:
        """Return the numbers of the groups with these names, each once.

        Raises:
            RefusalError: one is not there.
        """
        if not isinstance(names, list) or not names:
            raise RefusalError(400, "recipient must be a list of group names")
        groups = {group.name: group for group in self._groups.values()}
        if not all(str(name) in groups for name in names):
            raise RefusalError(400, "Groups could not be found")
        members = [member for name in names for member in sorted(groups[str(name)].members)]
        numbers = (str(self._contacts[member].get("phoneNumber", "")) for member in members)
        return list(dict.fromkeys(number for number in numbers if number))

    def _list(self, given: Mapping[str, Any]) -> Response:
        page, size = page_of(given, size=_PAGE_SIZE)
        groups = [
            {"id": ident, "name": group.name, "description": group.description}
            for ident, group in self._groups.items()
        ]
        listed = groups[(page - 1) * size : page * size]
        content = {"result": "OK", "groups": listed, "total": len(groups)}
        return JsonReply(content | {"pageNumber": page, "pageSize": size})

    def _create(self, given: Mapping[str, Any]) -> Response:
        group = _Group(name=_word(given, "name"), description=_word(given, "description"))
        if any(each.name == group.name for each in self._groups.values()):
            raise RefusalError(400, "the group name is taken", messages=0)
        ident = str(max(map(int, self._groups), default=0) + 1)
        self._groups[ident] = group
        return _located(201, f"group/{ident}")

    def _update(self, given: Mapping[str, Any], ident: str) -> Response:
        group = self._group(ident)
        group.name, group.description = _word(given, "name"), _word(given, "description")
        return _located(200, f"group/{ident}")

    def _delete(self, _given: Mapping[str, Any], ident: str) -> Response:
        self._group(ident)
        del self._groups[ident]
        return Response()

    def _join(self, _given: Mapping[str, Any], ident: str, contact: str) -> Response:
        group = self._group(ident)
        self._contact(contact)
        group.members.add(contact)
        return _located(200, f"contact/{contact}")

    def _leave(self, _given: Mapping[str, Any], ident: str, contact: str) -> Response:
        self._group(ident).members.discard(contact)
        return _located(200, f"contact/{contact}")

    def _add(self, given: Mapping[str, Any]) -> Response:
        if not given.get("email") and not given.get("phoneNumber"):
            raise RefusalError(400, "email or phoneNumber must be given", messages=0)
        idents = given.get("groupIds") or []
        groups = [self._group(str(ident)) for ident in (idents if isinstance(idents, list) else [idents])]
        contact = str(len(self._contacts) + 1)
        self._contacts[contact] = dict(given)
        for group in groups:
            group.members.add(contact)
        return _located(201, f"contact/{contact}")

    def _show(self, _given: Mapping[str, Any], ident: str) -> Response:
        return JsonReply(self._contact(ident))

    def _group(self, ident: str) -> _Group:
        if ident not in self._groups:
            raise RefusalError(400, "group_id is not valid", messages=0)
        return self._groups[ident]

    def _contact(self, ident: str) -> dict[str, Any]:
        if ident not in self._contacts:
            raise RefusalError(400, "contact_id is not valid", messages=0)
        return self._contacts[ident]


def page_of(given: Mapping[str, Any], *, size: int) -> tuple[int, int]:
    """Return the page and its size; raises RefusalError for numbers that are none."""
    words = str(given.get("pageNumber") or 1), str(given.get("pageSize") or size)
    if not all(word.isdecimal() and len(word) <= _MOST_DIGITS and int(word) for word in words):
        raise RefusalError(400, "pageNumber and pageSize must be numbers above 0", messages=0)
    return int(words[0]), int(words[1])


def _located(status: int, path: str) -> Response:
    return Response(status_code=status, headers={"Location": f"{_PLACE}/{path}"})


def _word(given: Mapping[str, Any], name: str) -> str:
    if not given.get(name):
        raise RefusalError(400, f"{name} is missing", messages=0)
    return str(given[name])
