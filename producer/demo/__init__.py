"""The demonstration: the real programs on one machine, in one folder, against the simulator.

It writes settings, starts the simulator, runs the commands that a person would type, and then compares what
the simulator accepted with what the ledger says. Rooms: ``gateways`` says what is sent through each of them,
``panel`` speaks to the simulator's control, ``reporting`` takes delivery reports in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from producer.demo import panel
from producer.demo.gateways import GATEWAYS, USUAL
from producer.demo.reporting import await_delivered, free_port, receiving
from worker.errors import ConfigError
from worker.ledger import messages
from worker.ledger.engine import reading
from worker.roles import Role, Supervisor
from worker.roles.parent import PARENT
from worker.settings import CONFIG_VARIABLE

__all__ = [
    "FOLDER",
    "GATEWAYS",
    "PROVIDER",
    "USUAL",
    "address_of",
    "await_delivered",
    "commands",
    "compare",
    "make_folder",
    "receiving",
    "run",
    "simulator",
    "use_environment",
    "write_settings",
]

FOLDER = Path("bulksend-demo")
PROVIDER = "demo"

_SECRET_VARIABLE = "DEMO_KEY"  # noqa: S105 - the name of a variable
_MARK = "# Written by `bulksend demo`; the folder is made anew each time.\n"
_READY = "sandbox listening on "
_BOUND = """
from worker.roles import die_with_parent
from {module} import main

die_with_parent()
main()
"""  # so that nothing is left running when the demo is killed
_SETTINGS = """{mark}
ledger = "sqlite:///bulksend.db"

[receipts]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"

[providers.{provider}]
gateway = "{gateway}"
base_url = "{address}{path}"
username = "demo"
secret = "env:{variable}"
sender = "DEMO"
country = "DK"
price = {price}
"""


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
    argv = [*_bound("worker.sandbox.__main__"), "--port", "0"]
    return Supervisor([Role(name="sandbox", argv=argv, log=folder / "sandbox.log", ready=_READY)], grace_s=5)


def address_of(running: Supervisor) -> str:
    """Return where the simulator listens."""
    return running.ready_line("sandbox").removeprefix(_READY).strip()


def write_settings(folder: Path, address: str, *, gateway: str) -> None:
    """Write a settings file that sends to the simulated gateway."""
    scene = GATEWAYS[gateway]
    filled = _SETTINGS.format(
        mark=_MARK,
        port=free_port(),
        provider=PROVIDER,
        gateway=gateway,
        address=address,
        path=scene.path,
        variable=_SECRET_VARIABLE,
        price=scene.price,
    )
    _write_whole(folder / "bulksend.toml", filled)


def use_environment(folder: Path) -> None:
    """Let this process, and what it starts, use the demo's settings whatever the surroundings say."""
    for name in [name for name in os.environ if name.startswith("BULKSEND_")]:
        del os.environ[name]
    os.environ |= {CONFIG_VARIABLE: str(folder / "bulksend.toml"), _SECRET_VARIABLE: "no-secret-in-a-demo"}


def commands(gateway: str) -> Sequence[Sequence[str]]:
    """Return what a person would type, one after the other."""
    order = ["recipients.csv", "--text", GATEWAYS[gateway].text, "--via", PROVIDER]
    return [["preview", *order], ["send", *order, "--accept-good-rows", "--wait"]]


def run(folder: Path, words: Sequence[str]) -> int:
    """Run one command of ours in the folder and return its exit code."""
    done = subprocess.run(  # noqa: S603 - our own program
        [*_bound("producer.cli"), *words],
        cwd=folder,
        env={**os.environ, PARENT: str(os.getpid())},
        check=False,
    )
    return done.returncode


def _bound(module: str) -> list[str]:
    return [sys.executable, "-c", _BOUND.format(module=module)]


def compare(engine: Engine, address: str, *, gateway: str) -> tuple[int, int]:
    """Compare the simulator's accepted messages with the ledger's, one for one.

    Returns:
        how many are the same on both sides, and how many stand on one side only.
    """
    with reading(engine) as connection:
        ours = Counter(messages.accepted(connection))
    theirs = Counter(panel.accepted(address, gateway=gateway))
    return (ours & theirs).total(), (ours - theirs).total() + (theirs - ours).total()
