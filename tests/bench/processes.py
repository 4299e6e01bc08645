"""Processes of the bench: started bound to this one, ended with the block that started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import requests

from tests.bench.receiver import READY
from worker.roles import parent

ROOT = Path(__file__).parents[2]
END_S = 10.0


@contextmanager
def running(
    *words: str, env: Mapping[str, str] | None = None, said: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run ``python WORDS`` from the root of the tree; kill it at the end if it has not ended.

    Its standard output is a pipe, its standard error goes to ``said``, or where ours goes.
    """
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, parent.PARENT: str(os.getpid()), **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


class Receiving:
    """The receiver, spoken to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def begin(self, *, latency_s: float) -> None:
        """Forget what came, and answer after so long from now on."""
        self._session.get(f"{self.url}/_begin/{1000 * latency_s:.0f}", timeout=10).raise_for_status()

    def came(self) -> list[tuple[int, int]]:
        """Return when requests came, and of how many units they were."""
        answer = self._session.get(f"{self.url}/_log", timeout=30)
        return [(at, units) for at, units in json.loads(answer.content)]


@contextmanager
def receiving() -> Iterator[Receiving]:
    """Give a receiver for as long as the block lasts."""
    with running("-m", "tests.bench.receiver") as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith(READY), ready
        yield Receiving(ready.removeprefix(READY).strip())
