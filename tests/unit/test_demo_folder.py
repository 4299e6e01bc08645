from pathlib import Path

import pytest

from producer import demo
from worker.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def test_a_folder_of_a_demo_that_was_killed_before_its_settings_is_made_anew(folder: Path) -> None:
    demo.make_folder(folder)
    (folder / "sandbox.log").write_text("from the killed one")

    demo.make_folder(folder)

    assert not (folder / "sandbox.log").exists()


def test_a_folder_of_a_demo_that_was_killed_before_its_mark_is_made_anew(folder: Path) -> None:
    folder.mkdir()

    demo.make_folder(folder)

    assert (folder / "recipients.csv").stat().st_size > 10_000


def test_an_earlier_demo_is_made_anew_with_all_that_it_left(folder: Path) -> None:
    demo.write_settings(demo.make_folder(folder), "http://127.0.0.1:9", gateway="cpsms")
    (folder / "bulksend.db-run").mkdir()
    (folder / "bulksend.db-run" / "redis.log").write_text("")

    demo.make_folder(folder)

    assert {path.name for path in folder.iterdir()} == {"bulksend.toml", "recipients.csv"}


@pytest.mark.parametrize("name", ["bulksend.toml", "diary.txt"])
@pytest.mark.parametrize("content", [b"mine", b"\xff", b""])
def test_a_folder_of_somebody_else_is_not_touched(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir()
    (folder / name).write_bytes(content)

    with pytest.raises(ConfigError, match="--folder"):
        demo.make_folder(folder)

    assert [path.read_bytes() for path in folder.iterdir()] == [content]
