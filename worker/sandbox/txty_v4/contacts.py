"""Groups and contacts of Txty API v4: created, changed, deleted, shown.

Source: the vendor's documentation of v4; the two calls that edit are known from the vendor's PHP class only.
"""

from collections.abc import Callable, Mapping
from typing import Any

from worker.sandbox import txty
from worker.sandbox.txty import TxtyError

Given = Mapping[str, str]

_FIRST_ID = 100
_FIELDS = ("fullname", "street", "zipcode", "msisdn", "email", "birthday", "sex")
_NUMBERS = {"msisdn", "zipcode", "birthday", "sex"}


class Contacts:
    """The address book of the account."""

    def __init__(self) -> None:
        self._groups: dict[int, str] = {}
        self._contacts: dict[int, dict[str, Any]] = {}
        self.calls: Mapping[tuple[str, ...], Callable[[Given], dict[str, Any]]] = {
            ("view", "groups"): self._view_groups,
            ("view", "group"): self._view_group,
            ("group", "create"): self._create_group,
            ("group", "edit"): self._edit_group,
            ("group", "delete"): self._delete_group,
            ("view", "contacts"): self._view_contacts,
            ("view", "contact"): self._view_contact,
            ("contact", "create"): self._create_contact,
            ("contact", "edit"): self._edit_contact,
            ("contact", "delete"): self._delete_contact,
            ("contact", "addgroup"): self._add_group,
            ("contact", "removegroup"): self._remove_group,
        }

    def numbers(self, given: Given) -> list[str] | None:
        """Return the numbers of the contact or else of the group that is named; none where neither is."""
        if "contact" in given:
            contact = self._contacts.get(_id(given["contact"]))
            contacts = [contact] if contact else []
        elif "group" in given:
            contacts = self._members(_id(given["group"]))
        else:
            return None
        return [str(contact["msisdn"]) for contact in contacts if contact["msisdn"]]

    # --- groups

    def _view_groups(self, _given: Given) -> dict[str, Any]:
        return {"success": "VIEW_GROUPS", "groups": [self._shown_group(group) for group in self._groups]}

    def _view_group(self, given: Given) -> dict[str, Any]:
        return {"success": "VIEW_GROUP", "group": self._shown_group(self._group(given))}

    def _create_group(self, given: Given) -> dict[str, Any]:
        name = given.get("name")
        if not name:
            raise TxtyError("NAME_EMPTY", "", messages=0, group={"name": None})
        self._groups[max(self._groups, default=_FIRST_ID - 1) + 1] = name
        return {"success": "CREATE_GROUP", "group": {"name": name}}

    def _edit_group(self, given: Given) -> dict[str, Any]:
        group = self._group(given)
        self._groups[group] = given.get("name") or self._groups[group]
        return {"success": "EDIT_GROUP", "group": {"name": self._groups[group]}}

    def _delete_group(self, given: Given) -> dict[str, Any]:
        group = self._group(given)
        del self._groups[group]
        for contact in self._members(group):
            contact["groups"].remove(group)
        return {"success": "DELETE_GROUP"}

    def _group(self, given: Given) -> int:
        group = _id(given.get("group", ""))
        if group not in self._groups:
            raise TxtyError("EMPTY_GROUP", "", messages=0, group={"group": given.get("group")})
        return group

    def _members(self, group: int) -> list[dict[str, Any]]:
        return [contact for contact in self._contacts.values() if group in contact["groups"]]

    def _shown_group(self, group: int) -> dict[str, Any]:
        contacts = [_shown(contact) for contact in self._members(group)]
        return {"controlgroup": group, "name": self._groups[group], "contacts": contacts}

    # --- contacts

    def _view_contacts(self, _given: Given) -> dict[str, Any]:
        return {
            "success": "VIEW_CONTACTS",
            "contacts": [_shown(contact) for contact in self._contacts.values()],
        }

    def _view_contact(self, given: Given) -> dict[str, Any]:
        return {"success": "VIEW_CONTACT", "contact": _shown(self._contact(given))}

    def _create_contact(self, given: Given) -> dict[str, Any]:
        if not given.get("fullname"):
            raise TxtyError("FULLNAME_EMPTY", "", messages=0, contact={"fullname": None})
        ident = max(self._contacts, default=_FIRST_ID - 1) + 1
        contact = {"controlcontact": ident, "groups": []} | dict.fromkeys(_FIELDS) | _fields(given)
        self._contacts[ident] = contact
        shown = _shown(contact)
        names = ("fullname", "msisdn", "dialcode", "number")
        about = {name: shown[name] for name in names} | {"controluser": 0, "controlcontact": ident}
        return {"success": "CREATE_CONTACT", "contact": about}

    def _edit_contact(self, given: Given) -> dict[str, Any]:
        contact = self._contact(given)
        contact.update(_fields(given))
        return {"success": "EDIT_CONTACT", "contact": _shown(contact)}

    def _delete_contact(self, given: Given) -> dict[str, Any]:
        del self._contacts[self._contact(given)["controlcontact"]]
        return {"success": "DELETE_CONTACT"}

    def _add_group(self, given: Given) -> dict[str, Any]:
        contact, group = self._contact(given), self._group(given)
        if group not in contact["groups"]:
            contact["groups"].append(group)
        return {"success": "ADD_GROUP", "addgroup": {"groups": [str(group)]}}

    def _remove_group(self, given: Given) -> dict[str, Any]:
        contact, group = self._contact(given), self._group(given)
        if group in contact["groups"]:
            contact["groups"].remove(group)
        return {"success": "REMOVE_GROUP", "removegroup": {"groups": [str(group)]}}

    def _contact(self, given: Given) -> dict[str, Any]:
        contact = self._contacts.get(_id(given.get("contact", "")))
        if contact is None:
            raise TxtyError("EMPTY_CONTACT", "", messages=0, contact={"contact": given.get("contact")})
        return contact


def _id(value: str) -> int:
    is_id = value.isascii() and value.isdigit() and len(value) <= 9  # noqa: PLR2004 - more were never given
    return int(value) if is_id else 0


def _fields(given: Given) -> dict[str, Any]:
    return {name: _value(given[name], name=name) for name in _FIELDS if name in given}


def _value(value: str, *, name: str) -> str | int:
    digits = value.strip().removeprefix("+")
    is_number = name in _NUMBERS and digits.isascii() and digits.isdigit() and len(digits) <= 15  # noqa: PLR2004 - E.164
    return int(digits) if is_number else value


def _shown(contact: Mapping[str, Any]) -> dict[str, Any]:
    dialcode, number = (
        txty.divided(str(contact["msisdn"])) if isinstance(contact["msisdn"], int) else (None, None)
    )
    return {**contact, "groups": list(contact["groups"]) or None, "dialcode": dialcode, "number": number}
