"""Bad input: one clear sentence, exit code 1 or 2, no traceback, nothing written."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.e2e.place import SECRET, Place
from tests.e2e.warm import Warm

GOOD = "msisdn,first_name\n+4520000001,Ann\n"
SEND = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"


@dataclass(frozen=True, kw_only=True)
class Bad:
    """What is wrong, and what the sentence must say."""

    code: int
    says: str
    words: Sequence[str] = SEND
    file: bytes | None = GOOD.encode()
    settings: Callable[[str], str] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    folders: Sequence[str] = ()


def sends(**changed: str) -> Sequence[str]:
    """Give the words of a good `send` with other or more options."""
    options = {"text": "Hi {{ first_name }}", "via": "acme", **changed}
    return ["send", "members.csv", *(word for name in options for word in (f"--{name}", options[name]))]


def replaced(old: str, new: str) -> Callable[[str], str]:
    """Give a change of the settings file."""
    return lambda text: text.replace(old, new)


BAD = {
    "missing file": Bad(code=1, file=None, says="members.csv"),
    "empty file": Bad(code=1, file=b"", says="empty"),
    "folder as file": Bad(code=1, file=None, folders=["members.csv"], says="members.csv"),
    "no number column": Bad(code=1, file=b"first_name,city\nAnn,Leeds\n", says="--column"),
    "no such column": Bad(code=1, words=sends(column="tel"), says="tel"),
    "header only": Bad(code=1, file=b"msisdn,first_name\n", says="no rows"),
    "unknown variable": Bad(code=1, words=sends(text="Hi {{ nick }}"), says="nick"),
    "template syntax": Bad(code=1, words=sends(text="Hi {{ first_name"), says="template"),
    "empty text": Bad(code=1, words=sends(text=""), says="text"),
    "not UTF-8": Bad(code=1, file=GOOD.encode() + "+4520000002,Bjørn\n".encode("cp1252"), says="UTF-8"),
    "UTF-16": Bad(code=1, file=GOOD.encode("utf-16"), says="UTF-8"),
    "a spreadsheet": Bad(code=1, file=b"PK\x03\x04\x14\x00\x06\x00\x08\x00", says="CSV"),
    "bad TOML": Bad(code=2, settings=lambda text: text + "[providers.acme\n", says="TOML"),
    "unknown key": Bad(code=2, settings=replaced("sender =", "sendr ="), says="did you mean sender?"),
    "unknown gateway": Bad(code=2, settings=replaced('"cpsms"', '"cpsmss"'), says="providers.acme.gateway"),
    "secret missing": Bad(code=2, environment={"ACME_KEY": None}, says="ACME_KEY"),
    "secret in the file": Bad(code=2, settings=replaced("env:ACME_KEY", SECRET), says="env:NAME"),
    "unknown environment variable": Bad(code=2, environment={"BULKSEND_BROKR": "x"}, says="BULKSEND_BROKER"),
    "bad price": Bad(code=2, settings=replaced("0.35 DKK", "cheap"), says="providers.acme.price"),
    "bad timeout": Bad(code=2, settings=replaced('"2s"', '"2"'), says="providers.acme.timeout"),
    "unknown provider": Bad(code=2, words=sends(via="acne"), says="acme"),
    "unknown option": Bad(code=2, words=[*SEND, "--wiat"], says="--wait"),
    "unknown gateway option": Bad(code=2, words=sends(option="flsh=1"), says="flsh"),
    "option without value": Bad(code=2, words=sends(option="flash"), says="NAME=VALUE"),
    "no text option": Bad(code=2, words=["send", "members.csv", "--via", "acme"], says="--text"),
    "sender too long": Bad(code=2, words=sends(sender="ACME AND SONS"), says="sender"),
    "bad country": Bad(code=2, words=sends(country="ZZ"), says="ZZ"),
    "bad limit of cost": Bad(code=2, words=sends(**{"max-cost": "cheap"}), says="--max-cost"),
    "limit of cost is no number": Bad(code=2, words=sends(**{"max-cost": "NaN"}), says="--max-cost"),
    "too dear": Bad(code=1, words=sends(**{"max-cost": "0.34"}), says="0.35 DKK"),
    "unknown campaign": Bad(code=1, words=["campaign", "show", "77"], says="campaign list"),
    "watch of an unknown campaign": Bad(code=1, words=["campaign", "watch", "77"], says="campaign list"),
    "unknown message": Bad(code=1, words=["message", "show", "77"], says="77"),
    "unknown command": Bad(code=2, words=["sent"], says="sent"),
    "folder of the ledger missing": Bad(code=2, settings=replaced("///", "///not/here/"), says="not/here"),
    "ledger is a folder": Bad(
        code=2, settings=replaced("bulksend.db", "there"), folders=["there"], says="there"
    ),
    "ledger of another kind": Bad(code=2, settings=replaced("sqlite:", "mysql:"), says="ledger"),
    "broker away": Bad(
        code=2, environment={"BULKSEND_BROKER": "redis://127.0.0.1:9/0"}, says="Redis cannot be reached"
    ),
    "broker of another kind": Bad(
        code=2, environment={"BULKSEND_BROKER": "amqp://127.0.0.1:9"}, says="broker"
    ),
    "Postgres away": Bad(code=2, environment={"BULKSEND_LEDGER": NOWHERE}, says="ledger"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence_and_nothing_is_written(bad: Bad, lone_place: Place, warm: Warm) -> None:
    place = lone_place
    for name in bad.folders:
        (place.folder / name).mkdir()
    if bad.file is not None:
        (place.folder / "members.csv").write_bytes(bad.file)
    if bad.settings:
        file = place.folder / "bulksend.toml"
        file.write_text(bad.settings(file.read_text()))
    for name, value in bad.environment.items():
        place.environment.pop(name, None)
        if value is not None:
            place.environment[name] = value

    done = warm.run(place, *bad.words)

    assert done.code == bad.code, done.err
    assert done.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", done.err)
    assert bad.says in done.err
    assert SECRET not in done.err
    assert place.n_campaigns() == 0


def test_no_settings_file_is_said_with_the_way_to_one(lone_place: Place) -> None:
    (lone_place.folder / "bulksend.toml").unlink()
    lone_place.write("members.csv", GOOD)

    done = lone_place.run(*SEND, code=2)

    assert done.err.count("\n") == 1
    assert "bulksend init" in done.err
    assert lone_place.files() == {"members.csv"}
