"""Processes of their own on a real Redis, by its real clock; bounds that a busy machine does not break."""

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.conftest import ROOT
from tests.throttle_model import most_units

pytestmark = [pytest.mark.redis, pytest.mark.slow]

SECONDS = 4


def start(redis_url: str, account: str, name: str, *, per_second: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.integration.throttle.greedy",
            redis_url,
            account,
            name,
            f"{per_second}",
            f"{SECONDS}",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("per_second", [10, 200, 1000])
def test_processes_share_a_rate_fairly_and_never_exceed_it(
    redis_url: str, account: str, per_second: int
) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(start(redis_url, account, name, per_second=per_second)) for name in "abcd"
        ]
        each = [json.loads(process.communicate(timeout=60)[0]) for process in processes]

    departed = sorted(at for departures in each for at in departures)
    seconds = (departed[-1] - departed[0]) / 1_000_000
    assert most_units([(at, 1) for at in departed], window_s=1) <= per_second
    assert len(departed) >= 0.8 * per_second * seconds
    assert min(map(len, each)) >= 0.5 * len(departed) / len(each)
