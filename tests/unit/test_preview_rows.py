import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from producer.cli import cli

SETTINGS = '[providers.acme]\ngateway = "cpsms"\nusername = "acme"\nsecret = "env:KEY"\nsender = "ACME"\n'


def test_whoever_has_seen_enough_of_the_rows_is_not_told_of_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bulksend.toml").write_text(SETTINGS)
    (tmp_path / "members.csv").write_text("msisdn\n+4520304050\n")
    monkeypatch.chdir(tmp_path)
    gone, out = os.pipe()
    os.close(gone)

    done = CliRunner().invoke(
        cli, ["preview", "members.csv", "--text", "Hi", "--via", "acme", "--rows", f"/dev/fd/{out}"]
    )
    os.close(out)

    assert done.exception is not None
    assert "name another file" not in done.output
