import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from worker.clock import elapsed_s
from worker.errors import NotSent
from worker.gateways.deadline import Attempt, Watchdog
from worker.waiting import within

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def attempt(*, left_s: float) -> Attempt:
    return Attempt(deadline_s=elapsed_s() + left_s, idle_limit_s=4, before_write=None)


def is_open(theirs: socket.socket) -> bool:
    theirs.setblocking(False)  # noqa: FBT003 - the signature of socket
    try:
        return theirs.recv(1) != b""
    except BlockingIOError:
        return True


def test_attempt_that_writes_is_shut(pair: Pair) -> None:
    ours, theirs = pair
    writing = attempt(left_s=60)
    writing.start_writing(ours)
    writing.shut()

    assert writing.wrote
    assert not is_open(theirs)


def test_socket_that_was_let_go_is_not_shut_under_its_next_user(pair: Pair) -> None:
    ours, theirs = pair
    done = attempt(left_s=60)
    done.start_writing(ours)
    done.let_go()
    done.shut()

    assert is_open(theirs)


def test_late_attempt_does_not_write(pair: Pair) -> None:
    ours, _ = pair
    late = attempt(left_s=-1)

    with pytest.raises(NotSent, match="deadline"):
        late.start_writing(ours)
    assert not late.wrote


@contextmanager
def no_threads() -> Iterator[None]:
    """Have no thread started: the stack of one would be larger than the address space."""
    before = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(before)


def test_without_a_thread_that_watches_nothing_is_sent_and_the_next_attempt_is_watched(pair: Pair) -> None:
    ours, theirs = pair
    with closing(Watchdog(timeout_s=0.05)) as watchdog:
        with no_threads():
            for _ in range(2):
                with pytest.raises(NotSent, match="no thread"):
                    watchdog.begin(idle_limit_s=4, before_write=None)

        watchdog.begin(idle_limit_s=4, before_write=None).start_writing(ours)

        assert within(10, lambda: not is_open(theirs))
