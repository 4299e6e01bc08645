"""The lists of refused rows that a command writes: all of one, or nothing."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from producer.cli.files import Lists
from producer.recipients import Problem
from producer.recipients.problems import ProblemsFile
from worker.errors import ConfigError

PROBLEM = Problem(
    line=2, column="mobile", code="number_empty", message="there is no number", cells=("", "Bo")
)
HEADERS = ["mobile", "name"]


def fill(lists: Lists, problems: Iterable[Problem]) -> None:
    with lists.filled() as add:
        assert add is not None
        for problem in problems:
            add(problem, HEADERS)


def test_a_list_has_its_name_when_all_was_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(Lists(problems=ProblemsFile(target=tmp_path / "p.csv")), [PROBLEM] * 3)

    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == 4
    assert "3 refused rows are listed" in capsys.readouterr().err


def test_an_interrupted_reading_leaves_no_list(tmp_path: Path) -> None:
    lists = Lists(problems=ProblemsFile(target=tmp_path / "p.csv"))

    def interrupted() -> Iterator[Problem]:
        yield PROBLEM
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(lists, interrupted())

    assert list(tmp_path.iterdir()) == []


def test_a_list_that_nobody_asked_for_may_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(Lists(problems=ProblemsFile(target=tmp_path / "nowhere" / "p.csv")), [PROBLEM] * 3)

    assert capsys.readouterr().err.count("cannot be listed in") == 1


def test_a_list_that_was_asked_for_may_not(tmp_path: Path) -> None:
    lists = Lists(problems=ProblemsFile(target=tmp_path / "nowhere" / "p.csv"), is_asked=True)

    with pytest.raises(ConfigError, match="--problems"):
        fill(lists, [PROBLEM])
