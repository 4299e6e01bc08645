import os
from pathlib import Path

import pytest

from producer.output_file import appearing, appearing_text
from worker.errors import InputError


def test_a_file_appears_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    with appearing(path, may_replace=False) as aside:
        aside.write_text("all")
        assert not path.exists()

    assert path.read_text() == "all"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with appearing(tmp_path / "out.csv", may_replace=False) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("first")

    with pytest.raises(InputError, match="--force"), appearing(path, may_replace=False):
        pass
    first = path.read_text()
    with appearing(path, may_replace=True) as aside:
        aside.write_text("second")

    assert (first, path.read_text()) == ("first", "second")


def test_a_device_is_written_to_and_a_link_stays_one(tmp_path: Path) -> None:
    device, link, target = tmp_path / "device", tmp_path / "link", tmp_path / "target"
    device.symlink_to("/dev/null")
    link.symlink_to(target)

    for path in (device, link):
        with appearing_text(path, may_replace=True) as file:
            file.write("all")

    assert device.is_char_device()
    assert link.readlink() == target
    assert target.read_text() == "all"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(InputError, match="no file"), appearing(pipe, may_replace=True):
        pass

    assert pipe.is_fifo()


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"), appearing(tmp_path, may_replace=True):
        pass
