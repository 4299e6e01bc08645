import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import kombu
import psutil
import pytest
import redis

from worker.embedded import EmbeddedRedis, find_server, join, server
from worker.embedded.keeper import Keeper
from worker.embedded.locks import SHARED, open_lock, try_lock
from worker.errors import BrokerError
from worker.waiting import within

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0

USER = """
import sys, time
from pathlib import Path
from worker.embedded import join
hold = join(Path(sys.argv[1]))
print(hold.redis_url, flush=True)
time.sleep(600)
"""

VISITOR = """
import sys
from pathlib import Path
import redis
from worker.embedded import join
for _ in range(4):
    with join(Path(sys.argv[1])) as hold, redis.Redis.from_url(hold.redis_url) as client:
        client.incr("visits")
"""


def server_of(hold: EmbeddedRedis) -> psutil.Process:
    with closing(redis.Redis.from_url(hold.redis_url)) as client:
        return psutil.Process(client.info("server")["process_id"])


def keeper_of(hold: EmbeddedRedis) -> psutil.Process:
    keeper = server_of(hold).parent()
    assert keeper is not None
    assert "worker.embedded" in keeper.cmdline()
    return keeper


def is_over(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ends(process: psutil.Process) -> bool:
    return within(DEADLINE_S, lambda: is_over(process))


def start_program(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "redis"


@pytest.fixture
def hold(folder: Path) -> Iterator[EmbeddedRedis]:
    with join(folder) as hold:
        yield hold


def test_a_second_user_shares_the_server(folder: Path, hold: EmbeddedRedis) -> None:
    with join(folder) as second:
        assert server_of(second) == server_of(hold)


def test_the_server_stays_when_one_of_two_users_leaves(folder: Path, hold: EmbeddedRedis) -> None:
    before = server_of(hold)

    join(folder).close()

    assert server_of(hold) == before


def test_when_the_last_user_has_left_nothing_runs(folder: Path) -> None:
    hold = join(folder)
    server, keeper = server_of(hold), keeper_of(hold)

    hold.close()

    assert is_over(server)
    assert ends(keeper)
    assert not (folder / "redis.sock").exists()


def test_closing_twice_is_closing_once(folder: Path, hold: EmbeddedRedis) -> None:
    second = join(folder)
    second.close()

    second.close()

    assert server_of(hold).is_running()


def test_a_killed_user_counts_as_gone(folder: Path) -> None:
    with start_program(USER, folder) as user:
        assert user.stdout is not None
        url = user.stdout.readline().strip()
        with closing(redis.Redis.from_url(url)) as client:
            server = psutil.Process(client.info("server")["process_id"])

        user.kill()

    assert ends(server)


def test_a_killed_server_is_started_again_with_its_data(hold: EmbeddedRedis) -> None:
    with closing(redis.Redis.from_url(hold.redis_url)) as client:
        client.set("kept", "yes")
        assert within(DEADLINE_S, lambda: client.info("persistence")["aof_buffer_length"] == 0)
    server = server_of(hold)

    server.kill()

    assert ends(server)
    assert within(DEADLINE_S, lambda: answers(hold))
    with closing(redis.Redis.from_url(hold.redis_url)) as client:
        assert client.get("kept") == b"yes"


def answers(hold: EmbeddedRedis) -> bool:
    try:
        return server_of(hold).is_running()
    except redis.ConnectionError:  # it is being started, or loads its data
        return False


def test_data_outlives_the_server(folder: Path) -> None:
    with join(folder) as hold, redis.Redis.from_url(hold.redis_url) as client:
        client.set("kept", "yes")

    with join(folder) as hold, redis.Redis.from_url(hold.redis_url) as client:
        assert client.get("kept") == b"yes"


def test_a_server_whose_keeper_was_killed_gets_a_new_one_from_the_next_user(folder: Path) -> None:
    first = join(folder)
    server, keeper = server_of(first), keeper_of(first)
    keeper.kill()
    assert ends(keeper)

    second = join(folder)

    assert server_of(second) == server
    first.close()
    assert server.is_running()
    second.close()
    assert is_over(server)


def test_a_server_whose_keeper_was_killed_ends_with_its_last_user(folder: Path) -> None:
    hold = join(folder)
    server, keeper = server_of(hold), keeper_of(hold)
    keeper.kill()
    assert ends(keeper)

    hold.close()

    assert is_over(server)


def test_after_keeper_and_server_were_killed_a_user_starts_both(folder: Path, hold: EmbeddedRedis) -> None:
    server, keeper = server_of(hold), keeper_of(hold)
    keeper.kill()
    server.kill()
    assert ends(keeper)
    assert ends(server)

    with join(folder) as second:
        assert second.url == hold.url
        assert server_of(second).is_running()


def test_the_keeper_outlives_a_sigterm_while_somebody_uses_redis(hold: EmbeddedRedis) -> None:
    keeper = keeper_of(hold)

    keeper.terminate()
    server_of(hold).kill()

    assert within(DEADLINE_S, lambda: answers(hold))
    assert keeper_of(hold) == keeper


def test_a_server_that_is_killed_before_its_keeper_has_seen_it_is_started_again(folder: Path) -> None:
    folder.mkdir()
    users = open_lock(folder / "users.lock")
    assert try_lock(users, mode=SHARED)
    keeper = Keeper(folder, program=find_server())
    for child in psutil.Process().children():
        if str(folder) in child.cmdline():
            child.kill()
    keeping = threading.Thread(target=keeper.keep)
    keeping.start()

    is_there_again = within(DEADLINE_S, lambda: server.answers(folder))
    os.close(users)
    keeping.join(DEADLINE_S)

    assert is_there_again
    assert not keeping.is_alive()


def test_many_who_come_and_go_all_find_a_server(folder: Path) -> None:
    visitors = [start_program(VISITOR, folder) for _ in range(3)]

    codes = [visitor.wait(60) for visitor in visitors]

    for visitor in visitors:
        visitor.communicate()
    assert codes == [0, 0, 0]
    with join(folder) as hold, redis.Redis.from_url(hold.redis_url) as client:
        assert client.get("visits") == b"12"


def test_a_forked_child_cannot_end_the_hold_of_its_parent(folder: Path) -> None:
    code = f"""
import os
from pathlib import Path
import psutil, redis
from worker.embedded import join
hold = join(Path({str(folder)!r}))
if not (child := os.fork()):
    hold.close()
    os._exit(0)
os.waitpid(child, 0)
second = join(Path({str(folder)!r}))
second.close()
redis.Redis.from_url(hold.redis_url).ping()
hold.close()
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False)

    assert done.returncode == 0


@pytest.mark.parametrize("name", ["a b", "100%25", "what?x=1&y#z", "Lærke", "x" * 120])
def test_any_folder_name_works_for_celery_and_for_redis_py(tmp_path: Path, name: str) -> None:
    with join(tmp_path / name) as hold:
        with closing(redis.Redis.from_url(hold.redis_url)) as client:
            assert client.ping()
        with kombu.Connection(hold.url) as connection:
            queue = connection.SimpleQueue("q")
            queue.put({"batch": 1})
            assert queue.get(timeout=DEADLINE_S).payload == {"batch": 1}
            queue.close()


def test_a_long_folder_leaves_nothing_outside_itself(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    hold = join(folder)
    place = (folder / "redis.sock").readlink()
    assert place.exists()

    hold.close()

    assert not place.parent.exists()


def test_only_the_owner_can_reach_it(folder: Path, hold: EmbeddedRedis) -> None:
    assert server_of(hold).is_running()
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in (".", "redis.sock")}

    assert modes == {".": 0o700, "redis.sock": 0o700}


def test_a_server_that_does_not_start_is_told_in_one_sentence(folder: Path) -> None:
    with pytest.raises(BrokerError, match="did not start"):
        join(folder, program=Path("/bin/false"))


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BrokerError, match="cannot be used: Not a directory"):
        join(tmp_path / "file" / "redis")


def test_a_hold_does_not_keep_a_zombie(folder: Path) -> None:
    before = psutil.Process().children()
    join(folder).close()

    assert psutil.Process().children() == before
