import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.embedded import find_server, server
from worker.errors import ConfigError

OLD = "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fdef44459b3ad6"
REDIS = "Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64 build=8a3b55b31c62ea7c"
VALKEY = "Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1ab5bd9d4e3f1c44"


def program(folder: Path, *, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def long_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    yield folder
    server.remove_socket(folder)


def test_a_redis_on_the_path_is_preferred_to_the_bundled_one(tmp_path: Path) -> None:
    redis = program(tmp_path / "bin", name="redis-server", says=REDIS)
    bundled = program(tmp_path / "wheel", name="redis-server", says=REDIS)

    assert find_server(str(tmp_path / "bin"), bundled=lambda: bundled) == redis


def test_a_valkey_is_as_good_as_a_redis(tmp_path: Path) -> None:
    valkey = program(tmp_path, name="valkey-server", says=VALKEY)

    assert find_server(str(tmp_path), bundled=lambda: None) == valkey


def test_a_redis_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path, name="redis-server", says=OLD)
    valkey = program(tmp_path, name="valkey-server", says=VALKEY)

    assert find_server(str(tmp_path), bundled=lambda: None) == valkey


@pytest.mark.parametrize("says", ["exec format error", "v=", ""])
def test_a_program_that_tells_no_version_is_passed_over(tmp_path: Path, says: str) -> None:
    program(tmp_path / "bin", name="redis-server", says=says)
    bundled = program(tmp_path / "wheel", name="redis-server", says=REDIS)

    assert find_server(str(tmp_path / "bin"), bundled=lambda: bundled) == bundled


def test_without_any_server_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"6\.2.*install redis-server or valkey, or set `broker`"):
        find_server(str(tmp_path), bundled=lambda: tmp_path / "not-there")


def test_a_short_folder_holds_its_socket_itself(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()

    server.place_socket(folder)

    assert server.socket_path(folder) == folder / "redis.sock"


def test_a_long_folder_gets_a_private_short_directory(long_folder: Path) -> None:
    server.place_socket(long_folder)

    place = server.socket_path(long_folder)
    assert len(os.fsencode(place)) <= server.LONGEST_SOCKET_BYTES
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_the_short_directory_stays_the_same_across_restarts(long_folder: Path) -> None:
    server.place_socket(long_folder)
    first = server.socket_path(long_folder)

    server.place_socket(long_folder)

    assert server.socket_path(long_folder) == first


def test_a_short_directory_that_others_may_enter_is_not_used_again(long_folder: Path) -> None:
    server.place_socket(long_folder)
    first = server.socket_path(long_folder)
    first.parent.chmod(0o755)

    server.place_socket(long_folder)

    first.parent.rmdir()
    assert server.socket_path(long_folder) != first


def test_removing_the_socket_removes_the_short_directory(long_folder: Path) -> None:
    server.place_socket(long_folder)
    place = server.socket_path(long_folder)
    place.touch()

    server.remove_socket(long_folder)

    assert not place.parent.exists()
    assert not list(long_folder.iterdir())


@pytest.mark.parametrize("text", ["", "no number", "999999999", "ours"])
def test_a_process_id_that_is_not_a_server_of_this_folder_is_not_adopted(tmp_path: Path, text: str) -> None:
    (tmp_path / "redis.pid").write_text(str(os.getpid()) if text == "ours" else text)

    assert server.adopt(tmp_path) is None


def test_another_program_that_works_in_the_folder_is_not_adopted(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/cat"], cwd=tmp_path, stdin=subprocess.PIPE) as other:
        (tmp_path / "redis.pid").write_text(str(other.pid))

        assert server.adopt(tmp_path) is None
