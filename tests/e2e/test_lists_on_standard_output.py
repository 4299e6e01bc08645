"""Lists that go where the shell has put standard output: they have it for themselves, and replace nothing."""

import csv
import subprocess

import pytest

from tests.e2e.place import COMMAND, DEADLINE_S, Place

PREVIEW = ("preview", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
LISTS = {
    "--rows": ("line", ["'+4520000001"]),
    "--problems": ("bulksend_line", ["number_not_a_number"]),
    "--duplicates": ("bulksend_line", ["4,duplicate,2"]),
}


@pytest.fixture
def members(lone_place: Place) -> Place:
    lone_place.write("members.csv", "msisdn,first_name\n20000001,Ann\nnone,Bo\n+4520000001,Al\n")
    return lone_place


def redirected(place: Place, sign: str, *words: str) -> tuple[int, str]:
    """Run a command as ``... > out.csv`` does, or as ``>>``; return its exit code and standard error."""
    with (place.folder / "out.csv").open("ab" if sign == ">>" else "wb") as out:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=False,
        )
    return done.returncode, done.stderr.decode()


def until_seen(place: Place, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as ``... | head -n 1`` does, where the exit code is the command's."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", '"$@" | head -n 1', "bash", *COMMAND, *words],  # noqa: S607 - whichever there is
        cwd=place.folder,
        env=place.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )


def lines(place: Place) -> list[str]:
    return (place.folder / "out.csv").read_text(encoding="utf-8-sig").splitlines()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
@pytest.mark.parametrize("option", LISTS)
def test_a_list_takes_the_file_that_the_shell_opened(members: Place, option: str, name: str) -> None:
    first, found = LISTS[option]

    code, said = redirected(members, ">", *PREVIEW, option, name)

    assert code == 0, said
    assert lines(members)[0].startswith(first)
    assert all(any(each in line for line in lines(members)[1:]) for each in found)
    assert len({len(row) for row in csv.reader(lines(members))}) == 1
    assert "messages" in said


def test_what_was_in_the_file_stays_before_it(members: Place) -> None:
    members.write("out.csv", "mine\n")

    code, said = redirected(members, ">>", *PREVIEW, "--rows", "/dev/stdout")

    assert code == 0, said
    assert [line.partition(",")[0] for line in lines(members)] == ["mine", "line", "2"]


def test_rows_never_go_into_the_file_that_is_read(members: Place) -> None:
    (members.folder / "out.csv").symlink_to("members.csv")
    before = (members.folder / "members.csv").read_bytes()

    code, said = redirected(members, ">>", *PREVIEW, "--rows", "-")

    assert (code, said) == (2, "Error: --rows would write over the recipients: name another file\n")
    assert (members.folder / "members.csv").read_bytes() == before


def test_a_list_that_has_nowhere_to_go_is_written_nowhere(members: Place) -> None:
    words = [*COMMAND, *PREVIEW, "--rows", "-"]

    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *words],  # noqa: S607 - whichever there is
        cwd=members.folder,
        env=members.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=DEADLINE_S,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.decode() == "Error: --rows -: it was closed; name a file\n"


def test_a_reader_that_has_seen_enough_is_no_error(members: Place) -> None:
    rows = "".join(f"2{number:07},A\n" for number in range(20_000))
    members.write("members.csv", f"msisdn,first_name\n{rows}")

    done = until_seen(members, *PREVIEW, "--rows", "-")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"line,msisdn")


@pytest.mark.parametrize(
    ("option", "row"), [("--problems", "none{:06},A\n"), ("--duplicates", "20000001,{:06}\n")]
)
def test_what_sends_does_not_end_well_where_the_reader_of_a_list_has_seen_enough(
    members: Place, option: str, row: str
) -> None:
    rows = "".join(row.format(number) for number in range(5_000))
    members.write("members.csv", f"msisdn,first_name\n20000002,Ann\n{rows}")

    done = until_seen(members, "send", *PREVIEW[1:], "--accept-good-rows", option, "-")

    assert (done.returncode, members.n_campaigns()) == (2, 0)
    assert f"Error: {option} -: Broken pipe; name another file\n" in done.stderr.decode()


@pytest.mark.parametrize("words", [("optout", "list", "--csv"), ("campaign", "export", "1", "--to")])
def test_so_do_opt_outs_and_campaigns(members: Place, words: tuple[str, ...]) -> None:
    members.run("optout", "add", "+4520000002")
    members.run("send", *PREVIEW[1:], "--accept-good-rows")

    code, said = redirected(members, ">", *words, "/dev/stdout")

    assert code == 0, said
    assert len(lines(members)) == 2


def test_a_preview_says_how_all_that_it_refuses_is_listed(members: Place) -> None:
    members.write("members.csv", "msisdn,first_name\n20000001,Ann\n" + "none,Bo\n" * 21)

    shown = members.run(*PREVIEW).err
    listed = members.run(*PREVIEW, "--problems", "-").err

    assert "  and 1 more: --problems FILE lists them all\n" in shown
    assert "  and 1 more\n" in listed
    assert "21 refused rows are listed on standard output: correct them there" in listed
