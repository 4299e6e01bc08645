"""Files as people have them, from the command line to the ledger, and the lists that are made of them."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.e2e.place import COMMAND, DEADLINE_S, Done, Place
from tests.e2e.warm import Warm
from worker.waiting import within

ORDER = ("--text", "Hi {{ first_name }}", "--via", "acme")
ROWS = "msisdn;first_name\n+4520000001;Åse\n20 00 00 02;Bjørn\n"


def save(place: Place, name: str, content: bytes) -> None:
    (place.folder / name).write_bytes(content)


def with_input(place: Place, content: bytes, *words: str) -> Done:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=place.folder,
        env=place.environment,
        input=content,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Done(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def texts(place: Place) -> list[str]:
    rows = csv.DictReader(io.StringIO((place.folder / "rows.csv").read_text(encoding="utf-8"), newline=""))
    return [row["text"] for row in rows]


def workbook() -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in (["Mobile", "First name"], [4520000001, "Åse"], [20000002, "Bjørn"]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ROWS.encode("cp1252"), "Read as CSV in CP1252, delimiter semicolon"),
        (ROWS.encode("utf-16"), "Read as CSV in UTF-16-LE, delimiter semicolon"),
        (
            gzip.compress(ROWS.replace(";", "\t").encode(), mtime=0),
            "Read as CSV in UTF-8, delimiter tab, gzip",
        ),
        (workbook(), "Read as Excel workbook, sheet 'Sheet'"),
    ],
    ids=["CP1252", "UTF-16", "gzip", "workbook"],
)
def test_what_is_found_is_said_and_the_letters_are_right(
    lone_place: Place, warm: Warm, content: bytes, says: str
) -> None:
    save(lone_place, "members", content)

    shown = warm.run(lone_place, "preview", "members", *ORDER, "--rows", "rows.csv")
    told = warm.run(lone_place, "preview", "members", *ORDER, "--json")

    assert (shown.code, told.code) == (0, 0)
    assert says in shown.err
    assert ("(CP1250 reads 'Ĺse')" in shown.err) == ("CP1252" in says)
    assert texts(lone_place) == ["Hi Åse", "Hi Bjørn"]
    assert told.json["source"]["format"] == ("xlsx" if "workbook" in says else "csv")


def test_of_a_plain_file_nothing_is_said(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", ROWS.replace(";", ","))

    assert "Read as" not in warm.run(lone_place, "preview", "members.csv", *ORDER).err


def test_standard_input_is_read_and_leaves_nothing_behind(lone_place: Place) -> None:
    done = with_input(lone_place, ROWS.encode("cp1252"), "send", "-", *ORDER, "--json")

    assert done.code == 0, done.err
    assert done.json["messages"] == 2
    assert lone_place.report().name == "stdin"
    assert not [name for name in lone_place.files() if "stdin" in name]


HEEDS_SIGNALS = """
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGHUP):  # which nohup has its programs ignore
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_standard_input_leaves_nothing_behind_where_a_signal_ends_it(
    lone_place: Place, end: signal.Signals
) -> None:
    with subprocess.Popen(
        [COMMAND[0], "-c", HEEDS_SIGNALS, *COMMAND, "preview", "-", *ORDER],
        cwd=lone_place.folder,
        env=lone_place.environment,
        stdin=subprocess.PIPE,
    ) as command:
        assert command.stdin is not None
        command.stdin.write(ROWS.encode())
        command.stdin.flush()  # more is to come: it waits, and has kept what came
        is_kept = within(
            DEADLINE_S, lambda: any("stdin" in name for name in lone_place.files()), every_s=0.02
        )
        command.send_signal(end)
        code = command.wait(DEADLINE_S)

    assert is_kept
    assert code == -end
    assert list(lone_place.temporary.iterdir()) == []


def test_what_is_refused_of_standard_input_is_listed_here(lone_place: Place) -> None:
    done = with_input(lone_place, b"msisdn,first_name\nnone,Bo\n20000001,Ann\n", "send", "-", *ORDER)

    assert done.code == 1
    assert "Traceback" not in done.err
    assert "Nothing was sent: correct the rows, or send the good ones with --accept-good-rows" in done.err
    assert "stdin.problems.csv" in done.err
    assert "stdin.problems.csv" in lone_place.files()
    assert lone_place.n_campaigns() == 0


AHEAD = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%MZ}"
REMIND = ("remind", "-", "--column", "at", "--before", "2h", "--key", "id", "--series", "s", "--zone", "UTC")


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        ("msisdn\n20000001\ngroup:7\n", ("send", "-"), "Nobody can be asked here: give --yes"),
        (
            "msisdn\n20000001\n",
            ("send", "-", "--at", AHEAD, "--schedule-at", "gateway"),
            "Nobody can be asked here: give --yes",
        ),
        ("msisdn\n20000001\n20000002\n20000003\n", ("send", "-"), "and nobody can be asked here: give --yes"),
        (
            f"msisdn,at,id\nx,{AHEAD},1\n20000001,{AHEAD},2\n",
            REMIND,
            "Nothing was changed: correct the rows",
        ),
        ("msisdn\n20000002\nx\n", ("campaign", "add", "1", "-"), "Nothing was sent: correct the rows"),
    ],
    ids=["group", "gateway", "many", "remind", "add"],
)
def test_a_question_after_standard_input_finds_nobody_to_ask(
    lone_place: Place, content: str, words: tuple[str, ...], says: str
) -> None:
    settings = lone_place.folder / "bulksend.toml"
    settings.write_text(settings.read_text() + "\n[send]\nconfirm_above = 2\n")
    order = () if words[0] == "campaign" else ("--text", "Hi", "--via", "acme")
    if not order:
        with_input(lone_place, b"msisdn\n20000001\n", "send", "-", "--text", "Hi", "--via", "acme")

    done = with_input(lone_place, content.encode(), *words, *order)

    assert (done.code, "Traceback" in done.err) == (1, False), done.err
    assert says in done.err


@pytest.mark.parametrize(
    "text", [("--text-file", "-"), ("--text-in", "en=x", "--text-file-in", "da=-", "--language-column", "l")]
)
def test_recipients_and_text_cannot_both_come_from_standard_input(
    lone_place: Place, text: tuple[str, ...]
) -> None:
    done = with_input(lone_place, b"msisdn,l\n20000001,da\n", "preview", "-", *text, "--via", "acme")

    assert done.code == 2
    assert done.err == (
        "Error: Recipients and text cannot both come from standard input: write one into a file\n"
    )


def test_what_was_refused_is_corrected_and_sent(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n+4520000001,Ann\nnone,=Bo\n+4520000001,Al\n2,Cy\n")
    send = ("send", "members.csv", *ORDER)

    refused, again = warm.run(lone_place, *send), warm.run(lone_place, *send)
    good = warm.run(lone_place, *send, "--accept-good-rows")
    listed = lone_place.folder / "members.problems.csv"
    content = listed.read_text(encoding="utf-8-sig")
    listed.write_text(content.replace(",none,", ",'+4520000003,").replace(",2,", ",20000004,"))
    rest = warm.run(lone_place, "send", "members.problems.csv", *ORDER, "--json")

    assert [each.code for each in (refused, again, good, rest)] == [1, 1, 0, 0]
    assert all(
        "2 refused rows are listed in members.problems.csv" in each.err for each in (refused, again, good)
    )
    assert "'=Bo" in content
    assert rest.json["messages"] == 2
    assert [name for name in lone_place.files() if "problems" in name] == ["members.problems.csv"]
    assert listed.stat().st_mode & 0o777 == 0o600 or listed.read_text() != content


def test_a_list_that_was_changed_is_not_written_over(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n")
    lone_place.write("members.problems.csv", "corrected by somebody\n")

    done = warm.run(lone_place, "send", "members.csv", *ORDER)

    assert "members.problems.2.csv" in done.err
    assert (lone_place.folder / "members.problems.csv").read_text() == "corrected by somebody\n"


LISTS = ("--problems", "--duplicates", "--rows")


@pytest.mark.parametrize("option", LISTS)
def test_a_list_that_is_there_is_replaced_only_by_force(lone_place: Place, warm: Warm, option: str) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n20000001,Ann\n20000001,Al\n")
    lone_place.write("list.csv", "corrected by somebody\n")
    preview = ("preview", "members.csv", *ORDER, option, "list.csv")

    refused = warm.run(lone_place, *preview)
    kept = (lone_place.folder / "list.csv").read_text()
    forced = warm.run(lone_place, *preview, "--force")

    assert (refused.code, refused.out, forced.code) == (1, "", 0)
    assert refused.err == "Error: list.csv exists: name another file, or give --force\n"
    assert kept == "corrected by somebody\n"
    assert (lone_place.folder / "list.csv").read_text(encoding="utf-8-sig") != kept


@pytest.mark.parametrize(
    ("name", "what"),
    [("bulksend.db", "ledger"), ("bulksend.db-wal", "ledger"), ("bulksend.toml", "settings")],
)
@pytest.mark.parametrize("option", LISTS)
def test_no_list_is_ever_written_over_the_ledger_or_the_settings(
    lone_place: Place, warm: Warm, option: str, name: str, what: str
) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n20000001,Ann\n20000001,Al\n")
    assert lone_place.n_campaigns() == 0
    before = (lone_place.folder / "bulksend.toml").read_text()

    done = warm.run(lone_place, "preview", "members.csv", *ORDER, option, name, "--force")

    assert (done.code, done.err) == (2, f"Error: {option} would write over the {what}: name another file\n")
    assert (lone_place.folder / "bulksend.toml").read_text() == before


@pytest.mark.parametrize(
    "words",
    [
        ("send", "members.csv", *ORDER, "--accept-good-rows", "--problems"),
        ("campaign", "add", "1", "members.csv", "--duplicates"),
        (*REMIND[:1], "members.csv", *REMIND[2:], *ORDER, "--problems"),
        ("optout", "list", "--csv"),
        ("campaign", "export", "1", "--to"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
@pytest.mark.parametrize(("name", "code"), [("list.csv", 1), ("bulksend.toml", 2)])
def test_every_command_asks_before_it_replaces_a_list(
    lone_place: Place, warm: Warm, words: tuple[str, ...], name: str, code: int
) -> None:
    lone_place.write("list.csv", "somebody's\n")
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n20000001,Ann\n")

    done = warm.run(lone_place, *words, name)

    assert done.code == code
    assert (
        done.err
        == {
            1: "Error: list.csv exists: name another file, or give --force\n",
            2: f"Error: {words[-1]} would write over the settings: name another file\n",
        }[code]
    )
    assert lone_place.n_campaigns() == 0


def test_rows_may_go_to_what_is_no_file(lone_place: Place) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n20000001,Ann\n")
    pipe = lone_place.folder / "pipe"
    os.mkfifo(pipe)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(pipe.read_bytes()))
    reader.start()

    to_output = lone_place.run("preview", "members.csv", *ORDER, "--rows", "/dev/stdout")
    lone_place.run("preview", "members.csv", *ORDER, "--rows", "pipe")
    reader.join(DEADLINE_S)

    assert "'+4520000001" in to_output.out
    assert b"'+4520000001" in taken[0]
    assert pipe.is_fifo()


def test_a_preview_writes_only_what_it_is_told_to(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n20000001,Ann\n+4520000001,Al\n")
    before = lone_place.files()

    warm.run(lone_place, "preview", "members.csv", *ORDER)
    between = {name for name in lone_place.files() - before if not name.endswith(("/out", "/err"))}
    told = warm.run(
        lone_place, "preview", "members.csv", *ORDER, "--problems", "p.csv", "--duplicates", "d.csv", "--json"
    )

    assert between == set()
    assert {"p.csv", "d.csv"} <= lone_place.files()
    assert (lone_place.folder / "d.csv").read_text(encoding="utf-8-sig").splitlines()[1:] == ["4,duplicate,3"]
    assert told.json["doubles"] == [{"line": 4, "first": 3}]
    assert told.json["problems"][0].keys() == {"line", "column", "code", "message"}


def test_no_list_is_written_where_none_is_wanted(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n")

    warm.run(lone_place, "send", "members.csv", *ORDER, "--problems", "none")

    assert not [name for name in lone_place.files() if "problems" in name]


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--allow-country", "DK,SE"], 1),
        (["--deny-country", "dk"], 2),
        (["--allow-country", "45", "--allow-country", "GB"], 0),
        ([], 0),
    ],
)
def test_numbers_are_sent_only_where_they_may(
    lone_place: Place, warm: Warm, options: list[str], refused: int
) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n20000001,A\n+4520000002,B\n+447400123456,C\n")

    told = warm.run(lone_place, "preview", "members.csv", *ORDER, *options, "--json").json

    assert told["reasons"] == ({"number_country_refused": refused} if refused else {})


@pytest.mark.parametrize("option", ["--allow-country", "--deny-country"])
@pytest.mark.parametrize("written", ["", " , "])
def test_a_list_of_countries_names_one(lone_place: Place, warm: Warm, option: str, written: str) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n20000001,A\n")

    done = warm.run(lone_place, "preview", "members.csv", *ORDER, option, "DK", option, written)

    assert (done.code, done.err) == (
        2,
        f"Error: {option}: it names no country; write codes such as DK,SE, or leave it out\n",
    )


def test_a_provider_may_have_countries(lone_place: Place, warm: Warm) -> None:
    settings = lone_place.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace('country = "DK"', 'country = "DK"\ncountries = ["DK"]'))
    lone_place.write("members.csv", "msisdn,first_name\n20000001,A\n+447400123456,C\n")

    told = warm.run(lone_place, "preview", "members.csv", *ORDER, "--json").json

    assert told["reasons"] == {"number_country_refused": 1}


def test_repairs_are_counted_and_named(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n4520000001,A\n'20000002,B\n+4520000003,C\n")

    shown = warm.run(lone_place, "preview", "members.csv", *ORDER)
    told = warm.run(lone_place, "preview", "members.csv", *ORDER, "--json").json

    assert "1 number was repaired: the country code had no plus [missing_plus]" in shown.err
    assert told["repairs"] == {"missing_plus": 1, "apostrophe": 1}
    assert told["repaired"] == [
        {"line": 2, "repairs": ["missing_plus"]},
        {"line": 3, "repairs": ["apostrophe"]},
    ]


@pytest.mark.parametrize("when", [(), ("--at", "tomorrow 09:00", "--zone", "UTC")], ids=["now", "then"])
def test_every_row_says_what_was_repaired_of_its_number(
    lone_place: Place, warm: Warm, when: tuple[str, ...]
) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n4520000001,A\n'4520000002,B\n+4520000003,C\n")

    warm.run(lone_place, "preview", "members.csv", *ORDER, *when, "--rows", "rows.jsonl")

    written = (lone_place.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["repairs"] for row in written] == [
        "missing_plus",
        "apostrophe missing_plus",
        None,
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("preview", "-", *ORDER),
        ("send", "members.csv", *ORDER),
        ("optout", "import", "-"),
        ("optout", "add", "-"),
        ("segments", "-"),
    ],
    ids=" ".join,
)
def test_standard_input_that_is_closed_is_an_empty_one(lone_place: Place, words: tuple[str, ...]) -> None:
    lone_place.write("members.csv", "msisdn,first_name\nnone,Bo\n20000001,Ann\n")

    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, *words],
        cwd=lone_place.folder,
        env=lone_place.environment,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert "Traceback" not in done.stderr.decode()
    assert done.returncode == (0 if words[0] == "segments" else 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--problems", "p.csv", "--duplicates", "p.csv"), "--problems would write over --duplicates"),
        (("--problems", "p.csv", "--rows", "sub/../p.csv"), "--problems would write over --rows"),
        (("--duplicates", "p.csv", "--rows", "p.csv"), "--duplicates would write over --rows"),
        (("--rows", "members.csv"), "--rows would write over the recipients"),
        (("--problems", "members.csv", "--force"), "--problems would write over the recipients"),
    ],
)
def test_no_list_is_written_over_another(
    lone_place: Place, warm: Warm, options: tuple[str, ...], says: str
) -> None:
    lone_place.write("members.csv", ROWS.replace(";", ","))
    (lone_place.folder / "sub").mkdir()

    done = warm.run(lone_place, "preview", "members.csv", *ORDER, *options)

    assert (done.code, done.err) == (2, f"Error: {says}: name another file\n")
    assert "p.csv" not in lone_place.files()


def test_a_further_file_may_be_written_in_another_way(lone_place: Place, warm: Warm) -> None:
    save(lone_place, "a.csv", ROWS.encode("cp850"))
    save(lone_place, "b.csv", b"msisdn|first_name\n+4520000002|Bj\xf8rn\n+4520000003|Cy\nx|y\n")
    warm.run(lone_place, "send", "a.csv", *ORDER, "--file-encoding", "cp850")

    added = warm.run(
        lone_place, "campaign", "add", "1", "b.csv", "--accept-good-rows", "--duplicates", "d.csv"
    )

    assert added.code == 0, added.err
    assert lone_place.report().messages == 3
    assert Path(lone_place.folder, "d.csv").read_text(encoding="utf-8-sig").splitlines()[1:] == [
        "2,duplicate,"
    ]
    assert "1 refused row is listed in b.problems.csv" in added.err.replace(f"{lone_place.folder}/", "")
