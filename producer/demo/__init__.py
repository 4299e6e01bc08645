"""The demonstration: the real programs on one machine, in one folder, against the simulator.

It writes settings, starts the simulator, runs the commands that a person would type, and then compares what
the simulator accepted with what the ledger says.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from worker.errors import ConfigError
from worker.ledger import messages
from worker.ledger.engine import reading
from worker.roles import Role, Supervisor
from worker.settings import CONFIG_VARIABLE

FOLDER = Path("bulksend-demo")
PROVIDER = "demo"
TEXT = (
    "Hi {{ first_name }}, order {{ order }} is ready in {{ city }}. Please bring {{ amount }} kr. and this "
    "message. We are open every day from 9 to 20."
)

_SECRET_VARIABLE = "DEMO_CPSMS_KEY"  # noqa: S105 - the name of a variable
_MARK = "# Written by `bulksend demo`; the folder is made anew each time.\n"
_READY = "sandbox listening on "
_SETTINGS = """{mark}
ledger = "sqlite:///bulksend.db"

[providers.{provider}]
gateway = "cpsms"
base_url = "{address}/cpsms/v2"
username = "demo"
secret = "env:{variable}"
sender = "DEMO"
country = "DK"
price = {{ DK = "0.35 DKK", GB = "0.04 GBP", IT = "0.07 EUR" }}
"""

Message = tuple[str, str, int]
"""Number, text and parts."""


def make_folder(folder: Path) -> Path:
    """Make the demo's folder, or make an earlier demo's anew; return it absolute.

    Raises:
        ConfigError: there is something else of that name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        shutil.copy(Path(__file__).with_name("recipients.csv"), folder)
    except OSError as error:
        raise ConfigError(f"The folder {folder} cannot be made: {error.strerror}") from None
    return folder.resolve()


def _clear(folder: Path) -> None:
    """Leave nothing but the mark, which is there all the time: after a kill it still is a demo's folder."""
    mark = folder / "bulksend.toml"
    entries = [entry for entry in folder.iterdir() if entry != mark]
    if mark.exists() or entries:
        if not mark.is_file() or not mark.read_bytes().startswith(_MARK.encode()):
            raise ConfigError(f"{folder} exists and is not an earlier demo: name another with --folder")
    else:
        _write_whole(mark, _MARK)
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _write_whole(file: Path, text: str) -> None:
    """Write a file at once or not at all."""
    unfinished = file.with_name(f".{file.name}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def simulator(folder: Path) -> Supervisor:
    """Describe the simulator on a free port of this machine, as a process of its own."""
    argv = [sys.executable, "-m", "worker.sandbox", "--port", "0"]
    return Supervisor([Role(name="sandbox", argv=argv, log=folder / "sandbox.log", ready=_READY)], grace_s=5)


def address_of(running: Supervisor) -> str:
    """Return where the simulator listens."""
    return running.ready_line("sandbox").removeprefix(_READY).strip()


def write_settings(folder: Path, address: str) -> None:
    """Write a settings file that sends to the simulator."""
    filled = _SETTINGS.format(mark=_MARK, provider=PROVIDER, address=address, variable=_SECRET_VARIABLE)
    _write_whole(folder / "bulksend.toml", filled)


def commands() -> Sequence[Sequence[str]]:
    """Return what a person would type, one after the other."""
    order = ["recipients.csv", "--text", TEXT, "--via", PROVIDER]
    return [["preview", *order], ["send", *order, "--accept-good-rows", "--wait"]]


def run(folder: Path, words: Sequence[str]) -> int:
    """Run one command of ours in the folder and return its exit code."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BULKSEND_")}
    environment |= {CONFIG_VARIABLE: str(folder / "bulksend.toml"), _SECRET_VARIABLE: "no-secret-in-a-demo"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "producer.cli", *words], cwd=folder, env=environment, check=False
    )
    return done.returncode


def compare(engine: Engine, address: str) -> tuple[int, int]:
    """Compare the simulator's accepted messages with the ledger's, one for one.

    Returns:
        how many are the same on both sides, and how many stand on one side only.
    """
    with reading(engine) as connection:
        ours = Counter(messages.accepted(connection))
    theirs = Counter(_accepted_by(address))
    return (ours & theirs).total(), (ours - theirs).total() + (theirs - ours).total()


def _accepted_by(address: str) -> list[Message]:
    place = address.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=10)
    try:
        connection.request("GET", "/_sandbox/accepted")
        lines = connection.getresponse().read().decode("utf-8").splitlines()
    finally:
        connection.close()
    rows = map(json.loads, lines)
    return [(row["msisdn"], row["text"], row["parts"]) for row in rows]
