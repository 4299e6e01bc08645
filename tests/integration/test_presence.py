import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from worker.embedded.locks import EXCLUSIVE, open_lock, try_lock, unlock
from worker.folder import folder_of
from worker.settings import Settings
from worker.station import Presence


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(ledger=f"sqlite:///{tmp_path}/ledger.db")


@pytest.fixture
def lock(settings: Settings) -> Iterator[int]:
    """Give another program's hold on the file of the presences."""
    Presence(settings).close()
    lock = open_lock(folder_of(settings) / "workers.lock")
    yield lock
    os.close(lock)


def test_a_worker_waits_until_another_has_said_that_it_is_the_only_one(settings: Settings, lock: int) -> None:
    assert try_lock(lock, mode=EXCLUSIVE)
    end = threading.Timer(0.2, unlock, [lock])
    end.start()

    with closing(Presence(settings)) as presence:
        presence.announce()

        assert not try_lock(lock, mode=EXCLUSIVE)
    end.join()


def test_only_the_first_is_the_only_one_and_it_stays_known(settings: Settings, lock: int) -> None:
    with closing(Presence(settings)) as first, closing(Presence(settings)) as second:
        claims = [first.announce_as_only(), second.announce_as_only()]

        assert claims == [True, False]
        assert not try_lock(lock, mode=EXCLUSIVE)


def test_beside_a_worker_nobody_is_the_only_one(settings: Settings) -> None:
    with closing(Presence(settings)) as worker, closing(Presence(settings)) as other:
        worker.announce()

        assert not other.announce_as_only()


def test_a_worker_that_is_gone_counts_no_more(settings: Settings) -> None:
    with closing(Presence(settings)) as worker:
        worker.announce()

    with closing(Presence(settings)) as other:
        assert other.announce_as_only()
