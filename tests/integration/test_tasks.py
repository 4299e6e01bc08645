import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine

from tests.conftest import ROOT
from tests.ledgers import batch, run_campaign, states
from tests.sandbox.running import Sandbox
from worker.settings import CONFIG_VARIABLE

SETTINGS = """ledger = "{ledger}"
broker = "redis://127.0.0.1:1/0"

[providers.acme]
gateway = "cpsms"
base_url = "http://127.0.0.1:{port}/cpsms/v2"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
"""
CALL = """
import sys
from worker import tasks
from worker.log import configure_logging
configure_logging()
tasks.send_batch(int(sys.argv[1]))
"""


def called(engine: Engine, folder: Path, hint: int, *, port: int = 1) -> subprocess.CompletedProcess[str]:
    """Call the task as a child of Celery does."""
    settings = folder / "bulksend.toml"
    settings.write_text(SETTINGS.format(ledger=engine.url, port=port))
    return subprocess.run(
        [sys.executable, "-c", CALL, str(hint)],
        cwd=ROOT,
        env={**os.environ, CONFIG_VARIABLE: str(settings), "ACME_KEY": "key"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_bug_is_named_by_its_class_only_and_is_none_of_celerys_business(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    beyond = 2**70  # which no driver takes

    done = called(sqlite_engine, tmp_path, beyond)

    assert done.returncode == 0, done.stderr
    assert '"error_class": "OverflowError"' in done.stderr
    assert "Traceback" not in done.stderr
    assert "too large" not in done.stderr


def test_while_redis_is_away_nobody_leases_one_batch_after_the_other(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second = (run_campaign(sqlite_engine, 1, name=name) for name in ("first", "second"))

    done = called(sqlite_engine, tmp_path, first, port=sandbox.port)

    assert done.returncode == 0, done.stderr
    assert [batch(sqlite_engine, each)["fence"] for each in (first, second)] == [1, 0]
    assert states(sqlite_engine) == ["queued"] * 2
