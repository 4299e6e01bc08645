"""A file with refused rows is sent only after a yes: by option, or by a person at a terminal."""

import os
import pty
import re
import subprocess
import threading
from collections.abc import Sequence

from tests.e2e.place import COMMAND, DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox

FILE = "msisdn,first_name\n+4520000001,Ann\nnone,Bo\n+4520000003,Cy\n"
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_without_a_terminal_nothing_is_sent_and_nothing_asked(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", FILE)

    done = warm.run(lone_place, *ORDER, "--wait")

    assert done.code == 1
    assert "line 3" in done.err
    assert "--accept-good-rows" in done.err
    assert "?" not in done.err
    assert lone_place.n_campaigns() == 0


def test_with_accept_good_rows_the_good_ones_are_sent(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", FILE)

    done = warm.run(lone_place, *ORDER, "--accept-good-rows", "--json")

    assert done.code == 0
    assert (done.json["rows"], done.json["messages"], done.json["refused"]) == (3, 2, 1)
    assert lone_place.counts() == {"queued": 2}


def test_a_person_who_says_no_sends_nothing(lone_place: Place) -> None:
    lone_place.write("members.csv", FILE)

    code, said = at_a_terminal(lone_place, [*ORDER, "--wait"], answer="n")

    assert code == 1
    assert "Send the 2 good rows (2 parts, 0.70 DKK)?" in said
    assert lone_place.n_campaigns() == 0


def test_a_person_who_says_yes_sends_the_good_rows_and_sees_a_bar(place: Place, gateway: Sandbox) -> None:
    place.write("members.csv", FILE)

    code, said = at_a_terminal(place, [*ORDER, "--wait"], answer="y")

    assert code == 0
    assert place.counts() == {"accepted": 2}
    assert gateway.stats()["accepted"] == 2
    assert "Campaign 1 ━" in said
    assert "0/2" in said


def at_a_terminal(place: Place, words: Sequence[str], *, answer: str) -> tuple[int, str]:
    """Run the command at a pseudo-terminal, answer its question, return exit code and all it showed."""
    ours, theirs = pty.openpty()
    environment = {**place.environment, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=place.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    end = threading.Timer(DEADLINE_S, process.kill)
    end.start()
    said = _talk(ours, answer=answer)
    code = process.wait(DEADLINE_S)
    end.cancel()
    os.close(ours)
    return code, said


def _talk(terminal: int, *, answer: str) -> str:
    said = b""
    is_answered = False
    while True:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # Linux says so when the last writer has gone
            return _COLOURS.sub("", said.decode())
        if not is_answered and b"[y/N]" in said:
            is_answered = True
            os.write(terminal, f"{answer}\n".encode())
