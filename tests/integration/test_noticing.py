import hashlib
import hmac
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, select, update

from tests.ledgers import (
    ago,
    do,
    due_rows,
    lease,
    mark,
    pause,
    record,
    release,
    result,
    run_campaign,
    unclear,
)
from worker.ledger import notices, orders, settling
from worker.ledger.engine import now_ms, reading, writing
from worker.ledger.models import CAMPAIGNS
from worker.ledger.orders import RESEND, Counted
from worker.noticing import Herald, signed
from worker.states import MessageState
from worker.waiting import within

SECRET = "of-the-hook"
NUMBER = "20304050"


@dataclass
class Hook:
    """A receiver of notices that answers as it is told."""

    url: str = ""
    status: int = 200
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.came.append((dict(self.headers.items()), body))
            self.send_response(hook.status)
            if hook.status == 302:
                self.send_header("Location", hook.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/done"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    with hooked(made):
        yield made


def wanted(engine: Engine, n: int = 2) -> int:
    """Have a campaign whose end is to be told; return its batch."""
    batch_id = run_campaign(engine, n)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(notice_at=now_ms()))
    return batch_id


def finish(engine: Engine, batch_id: int) -> None:
    held = lease(engine, batch_id)
    (marked,) = mark(engine, held, due_rows(engine, held))
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)


def herald(engine: Engine, folder: Path, hook: Hook | None = None, *command: str) -> Herald:
    made = Herald(engine=engine, directory=folder, command=command)
    return made if hook is None else replace(made, webhook=hook.url, secret=SECRET)


def kept(engine: Engine) -> tuple[bool, int, bool]:
    """Return whether a notice is to be given still, how many were in vain, and whether one was told."""
    columns = CAMPAIGNS.c.notice_at, CAMPAIGNS.c.n_notices, CAMPAIGNS.c.noticed_at
    with reading(engine) as connection:
        notice_at, n_notices, noticed_at = connection.execute(select(*columns)).one()
    return notice_at is not None, n_notices, noticed_at is not None


def make_due(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(notice_at=ago(1)))


def test_nothing_is_told_before_a_campaign_is_done(engine: Engine, hook: Hook, tmp_path: Path) -> None:
    wanted(engine)

    is_told = herald(engine, tmp_path, hook).round()

    assert not is_told
    assert hook.came == []


def test_the_end_is_told_once_and_signed_and_without_a_number_or_a_text(
    engine: Engine, hook: Hook, tmp_path: Path
) -> None:
    finish(engine, wanted(engine))
    one = herald(engine, tmp_path, hook)

    rounds = [one.round(), one.round()]

    ((headers, body),) = hook.came
    covered = f"{headers['Bulksend-Timestamp']}.".encode() + body
    told = json.loads(body)
    assert rounds == [True, False]
    assert headers["Bulksend-Signature"] == f"v1={hmac.digest(SECRET.encode(), covered, 'sha256').hex()}"
    assert headers["Bulksend-Notice"] == "1-0"
    assert (told["id"], told["state"], told["counts"]["accepted"], told["parts"]) == (1, "done", 2, 2)
    assert told["cost"] == told["ordered_cost"] == {"DKK": "0.70"}
    assert NUMBER not in body.decode()
    assert "Hello" not in body.decode()
    assert kept(engine) == (False, 1, True)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_taken_is_told_again_after_a_minute_with_the_same_key(
    engine: Engine, hook: Hook, tmp_path: Path, status: int
) -> None:
    finish(engine, wanted(engine))
    one = herald(engine, tmp_path, hook)
    hook.status = status

    rounds = [one.round(), one.round()]
    hook.status = 204
    make_due(engine)
    rounds.append(one.round())

    assert rounds == [True, False, True]
    assert len({headers["Bulksend-Notice"] for headers, _ in hook.came}) == 1
    assert len(hook.came) == 2
    assert kept(engine) == (False, 2, True)


def test_after_ten_attempts_in_vain_it_is_given_up_and_each_is_noted(
    engine: Engine, hook: Hook, tmp_path: Path
) -> None:
    finish(engine, wanted(engine))
    hook.status = 500

    for _ in range(notices.ATTEMPTS):
        make_due(engine)
        herald(engine, tmp_path, hook).round()
    is_due = herald(engine, tmp_path, hook).round()

    with reading(engine) as connection:
        noted = orders.of_campaign(connection, 1)
    assert not is_due
    assert kept(engine) == (False, notices.ATTEMPTS, False)
    assert [row["what"] for row in noted] == ["notice"] * notices.ATTEMPTS
    assert noted[-1]["detail"] == "attempt 10 in vain: the webhook answered 500; given up"
    assert SECRET not in str(noted)


def test_the_pause_between_attempts_doubles_up_to_an_hour(engine: Engine) -> None:
    finish(engine, wanted(engine))
    pauses_s = []

    for _ in range(notices.ATTEMPTS):
        make_due(engine)
        with writing(engine) as connection:
            assert notices.claim(connection, 1)
            query = select(CAMPAIGNS.c.notice_at - now_ms())
            pauses_s.append(round(connection.execute(query).scalar_one() / 1000))

    assert pauses_s == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_of_two_who_see_the_end_one_tells_it(engine: Engine) -> None:
    finish(engine, wanted(engine))

    with writing(engine) as connection:
        first = notices.claim(connection, 1)
    with writing(engine) as connection:
        second = notices.claim(connection, 1)

    assert first is not None
    assert second is None


def test_a_command_gets_the_summary_and_the_campaign(engine: Engine, tmp_path: Path) -> None:
    finish(engine, wanted(engine))
    program = "import os, sys; open('told', 'w').write(os.environ['BULKSEND_CAMPAIGN'] + sys.stdin.read())"

    herald(engine, tmp_path, None, sys.executable, "-c", program).round()

    written = (tmp_path / "told").read_text()
    assert written[0] == "1"
    assert json.loads(written[1:])["messages"] == 2
    assert kept(engine) == (False, 1, True)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "the command ended with 3"),
        (("/nowhere/at-all",), "the command cannot be run: No such file or directory"),
    ],
    ids=["fails", "is not there"],
)
def test_a_command_that_fails_is_tried_again(
    engine: Engine, tmp_path: Path, command: tuple[str, ...], reason: str
) -> None:
    finish(engine, wanted(engine))

    herald(engine, tmp_path, None, *command).round()

    with reading(engine) as connection:
        (noted,) = orders.of_campaign(connection, 1)
    assert noted["detail"] == f"attempt 1 in vain: {reason}"
    assert kept(engine) == (True, 1, False)


def test_what_hangs_is_ended_with_all_that_it_started_and_tried_again(engine: Engine, tmp_path: Path) -> None:
    finish(engine, wanted(engine))
    words = ("sh", "-c", "sleep 100 & echo $! > child; wait")

    replace(herald(engine, tmp_path, None, *words), command_s=0.5).round()

    with reading(engine) as connection:
        (noted,) = orders.of_campaign(connection, 1)
    child = int((tmp_path / "child").read_text())
    assert noted["detail"] == "attempt 1 in vain: the command took longer than 0.5 s"
    assert within(5, lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


def test_a_webhook_that_hangs_is_left_and_tried_again(engine: Engine, tmp_path: Path) -> None:
    finish(engine, wanted(engine))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = Hook(url=f"http://127.0.0.1:{silent.getsockname()[1]}")

        replace(herald(engine, tmp_path, hook), webhook_s=0.5).round()

    with reading(engine) as connection:
        (noted,) = orders.of_campaign(connection, 1)
    assert noted["detail"] == "attempt 1 in vain: the webhook gave no answer in time"


def test_a_campaign_that_goes_on_after_its_end_was_told_is_told_of_again(
    engine: Engine, hook: Hook, tmp_path: Path
) -> None:
    finish(engine, wanted(engine))
    one = herald(engine, tmp_path, hook)
    one.round()

    with writing(engine) as connection:
        orders.note(connection, orders.RETRY, author="ann", campaign_id=1)
        notices.want_again(connection, 1)
    one.round()

    assert [headers["Bulksend-Notice"] for headers, _ in hook.came] == ["1-0", "1-1"]


@pytest.mark.parametrize("is_taken", [True, False], ids=["taken", "given up"])
def test_a_campaign_that_goes_on_while_its_end_is_told_is_told_of_again(
    engine: Engine, *, is_taken: bool
) -> None:
    finish(engine, wanted(engine))
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(n_notices=notices.ATTEMPTS - 1))
        notice = notices.claim(connection, 1)
    assert notice is not None

    with writing(engine) as connection:
        notices.want_again(connection, 1)
    with writing(engine) as connection:
        if is_taken:
            notices.note_told(connection, notice)
        else:
            notices.note_vain(connection, notice, reason="the command ended with 1")

    with reading(engine) as connection:
        assert notices.due(connection) == 1


def test_an_end_that_is_told_late_leaves_the_next_one_to_be_told(engine: Engine) -> None:
    finish(engine, wanted(engine))
    late = do(engine, notices.claim, 1)
    do(engine, notices.want_again, 1)
    next_one = do(engine, notices.claim, 1)
    assert late is not None
    assert next_one is not None

    do(engine, notices.note_told, late)
    do(engine, notices.note_vain, next_one, reason="the command ended with 1")

    assert (late.attempt, next_one.attempt) == (1, 1)
    assert kept(engine) == (True, 1, False)


def test_a_campaign_that_goes_on_after_its_notice_was_given_up_is_told_of_again(engine: Engine) -> None:
    finish(engine, wanted(engine))
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(notice_at=None, n_notices=notices.ATTEMPTS))

    with writing(engine) as connection:
        notices.want_again(connection, 1)

    with reading(engine) as connection:
        assert notices.due(connection) == 1


def test_a_campaign_whose_end_nobody_wanted_to_know_is_not_told_of_when_it_goes_on(engine: Engine) -> None:
    finish(engine, run_campaign(engine))

    with writing(engine) as connection:
        notices.want_again(connection, 1)

    assert kept(engine) == (False, 0, False)


def test_a_signature_covers_the_time_and_the_body() -> None:
    found = signed(b"{}", key="7-0", secret="s", now_s=12)

    expected = hmac.new(b"s", b"12.{}", hashlib.sha256).hexdigest()
    assert found["Bulksend-Signature"] == f"v1={expected}"


def test_the_end_is_told_once_more_after_a_resend(engine: Engine, tmp_path: Path, hook: Hook) -> None:
    made = herald(engine, tmp_path, hook)
    held = lease(engine, wanted(engine, 1))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    assert made.round()

    with writing(engine) as connection:
        settling.settle(
            connection, MessageState.QUEUED, author="ann", order=Counted(what=RESEND, author="ann")
        )
    is_told_meanwhile = made.round()
    finish(engine, held.batch_id)
    rounds = [made.round(), made.round()]

    keys = [headers["Bulksend-Notice"] for headers, _ in hook.came]
    assert (is_told_meanwhile, rounds) == (False, [True, False])
    assert (len(keys), len(set(keys))) == (2, 2)


def test_a_person_who_settles_what_is_unknown_otherwise_ends_nothing_anew(
    engine: Engine, tmp_path: Path, hook: Hook
) -> None:
    made = herald(engine, tmp_path, hook)
    held = lease(engine, wanted(engine, 1))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))
    release(engine, held)
    assert made.round()

    with writing(engine) as connection:
        settling.settle(connection, MessageState.FAILED, author="ann")

    assert not made.round()


def test_the_end_is_told_of_a_campaign_that_was_paused_while_its_last_request_was_out(
    engine: Engine, tmp_path: Path, hook: Hook
) -> None:
    made = herald(engine, tmp_path, hook)
    held = lease(engine, wanted(engine, 1))
    (marked,) = mark(engine, held)
    pause(engine, 1)
    is_told_before = made.round()

    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)

    assert (is_told_before, made.round()) == (False, True)
    assert json.loads(hook.came[0][1])["state"] == "done"
