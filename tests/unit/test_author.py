import os
import socket

import pytest

from producer.cli.words import author

NOBODY = 2**31 - 11  # a number that no user has


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Be a user whom neither the environment nor the system names."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    return monkeypatch


def test_an_author_is_the_user(nameless: pytest.MonkeyPatch) -> None:
    nameless.setenv("USER", "ann")

    assert author() == f"ann@{socket.gethostname()}"


@pytest.mark.parametrize("name", [None, "", "Ann\udce6", "\x1b[2J"])
def test_an_author_without_a_name_that_can_be_kept_is_a_number(
    nameless: pytest.MonkeyPatch, name: str | None
) -> None:
    if name is not None:
        nameless.setenv("USER", name)

    assert author() == f"uid {NOBODY}@{socket.gethostname()}"
