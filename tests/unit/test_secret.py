from pathlib import Path

import pytest

from worker.errors import ConfigError
from worker.settings import read_secret


def secret(folder: Path, reference: str) -> str:
    return read_secret(reference, key="providers.acme.secret", directory=folder).get_secret_value()


def test_a_secret_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "s3cret\n")

    assert secret(tmp_path, "env:ACME_KEY") == "s3cret"


@pytest.mark.parametrize("name", ["key", "{folder}/key"])
def test_a_secret_comes_from_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")

    assert secret(tmp_path, f"file:{name.format(folder=tmp_path)}") == "s3cret"


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("env:NOBODYS_KEY", "the environment variable NOBODYS_KEY is missing or empty; put the secret there"),
        ("file:nothing", "the file nothing is missing or empty; put the secret there"),
        ("env:", 'write "env:NAME" or "file:PATH", never the secret itself'),
        ("s3cret", 'write "env:NAME" or "file:PATH", never the secret itself'),
    ],
)
def test_a_secret_that_is_not_there_is_said_without_printing_any(
    tmp_path: Path, reference: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        secret(tmp_path, reference)

    assert str(caught.value) == f"providers.acme.secret: {sentence}"


def test_an_empty_secret_is_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", " ")

    with pytest.raises(ConfigError, match="ACME_KEY is missing or empty"):
        secret(tmp_path, "env:ACME_KEY")


def test_a_secret_file_that_is_no_text_is_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff")

    with pytest.raises(ConfigError, match="the file key is missing or empty"):
        secret(tmp_path, "file:key")
