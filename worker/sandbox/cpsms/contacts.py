"""Groups and contacts of CPSMS v2, as far as other people's client programs use them."""

from collections.abc import Callable, Mapping
from typing import Any

from worker.sandbox.gateway import RefusalError

# Method and name of each call, and the order of its parameters in the path.
CALLS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("POST", "addgroup"): ("groupName",),
    ("GET", "listgroups"): (),
    ("PUT", "updategroup"): ("groupId", "groupName"),
    ("DELETE", "deletegroup"): ("groupId",),
    ("POST", "addcontact"): ("groupId", "phoneNumber", "contactName"),
    ("GET", "listcontacts"): ("groupId",),
    ("PUT", "updatecontact"): ("groupId", "phoneNumber", "contactName"),
    ("DELETE", "deletecontact"): ("groupId", "phoneNumber"),
    ("GET", "listgroupmembership"): ("phoneNumber",),
}
_OPTIONAL = "contactName"
_FIRST_ID = 11961


class Contacts:
    """The address book of the account."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._members: dict[int, dict[str, str]] = {}  # by group: number -> name
        self._calls: dict[str, Callable[..., Any]] = {
            "addgroup": self._add_group,
            "listgroups": self._list_groups,
            "updategroup": self._update_group,
            "deletegroup": self._delete_group,
            "addcontact": self._add_contact,
            "listcontacts": self._list_contacts,
            "updatecontact": self._add_contact,
            "deletecontact": self._delete_contact,
            "listgroupmembership": self._list_membership,
        }

    def do(self, name: str, *, given: Mapping[str, Any], is_2016: bool) -> object:
        """Do one call and return its reply; texts stand under `Success` (2016) or `success`.

        Raises:
            RefusalError: a parameter is missing, the group is not there or not empty.
        """
        wanted = next(names for (_method, call), names in CALLS.items() if call == name)
        for parameter in wanted:
            if parameter not in given and parameter != _OPTIONAL:
                raise RefusalError(400, f"the parameter {parameter} is missing", messages=0)
        reply = self._calls[name](*(str(given.get(parameter, "")) for parameter in wanted))
        if isinstance(reply, str):
            return {"Success" if is_2016 else "success": reply}
        # A list stands bare, but for the one call that only the later clients know.
        is_wrapped = name == "listgroupmembership" or (name == "addgroup" and not is_2016)
        return {"success": reply} if is_wrapped else reply

    def numbers(self, group: object) -> list[str]:
        """Return the numbers of a group, digits only."""
        return list(self._members[self._known(str(group))])

    def _known(self, group: str) -> int:
        if not group.isdecimal() or int(group) not in self._names:
            raise RefusalError(409, "there is no such group", messages=0)
        return int(group)

    def _add_group(self, name: str) -> dict[str, str]:
        group = max(self._names, default=_FIRST_ID) + 1
        self._names[group] = name
        self._members[group] = {}
        return {"groupId": str(group), "groupName": name}

    def _list_groups(self) -> list[dict[str, Any]]:
        return [{"groupId": group, "groupName": name} for group, name in self._names.items()]

    def _update_group(self, group: str, name: str) -> str:
        self._names[self._known(group)] = name
        return f"groupId {group} updated"

    def _delete_group(self, group: str) -> str:
        known = self._known(group)
        if self._members[known]:
            raise RefusalError(409, "the group is not empty", messages=0)
        del self._names[known], self._members[known]
        return f"group {group} deleted"

    def _add_contact(self, group: str, number: str, name: str) -> str:
        self._members[self._known(group)][number.removeprefix("+")] = name
        return "contact saved in the group"

    def _list_contacts(self, group: str) -> list[dict[str, str]]:
        members = self._members[self._known(group)]
        return [{"phoneNumber": number, "contactName": name} for number, name in members.items()]

    def _delete_contact(self, group: str, number: str) -> str:
        if self._members[self._known(group)].pop(number.removeprefix("+"), None) is None:
            raise RefusalError(409, "there is no such contact in the group", messages=0)
        return "contact removed"

    def _list_membership(self, number: str) -> list[dict[str, Any]]:
        groups = [group for group, members in self._members.items() if number.removeprefix("+") in members]
        return [{"groupId": group, "groupName": self._names[group]} for group in groups]
