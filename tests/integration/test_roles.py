import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from worker.errors import ConfigError
from worker.roles import Role, Supervisor
from worker.waiting import within

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0

SLEEPER = "import time; print('sleeper ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
BOUND = "from worker.roles import die_with_parent; die_with_parent(); " + SLEEPER

SUPERVISOR = """
import sys, time
from worker.roles import Role, Supervisor
supervisor = Supervisor([Role(name="bound", argv=[sys.executable, "-c", sys.argv[1]], ready="sleeper")])
supervisor.start()
print(supervisor.pids()["bound"], flush=True)
time.sleep(600)
"""


def role(code: str, *, name: str = "sleeper", ready: str | None = None, log: Path | None = None) -> Role:
    return Role(
        name=name,
        argv=[sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        ready=ready,
        log=log,
    )


def process_of(supervisor: Supervisor, name: str = "sleeper") -> psutil.Process:
    return psutil.Process(supervisor.pids()[name])


def is_over(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_started(supervisor: Supervisor) -> bool:
    supervisor.check()
    return bool(supervisor.pids())


def is_restarted(supervisor: Supervisor, before: psutil.Process) -> bool:
    return is_started(supervisor) and process_of(supervisor) != before


def test_a_killed_role_is_started_again() -> None:
    with Supervisor([role(SLEEPER)]) as supervisor:
        before = process_of(supervisor)

        before.kill()

        assert within(DEADLINE_S, lambda: is_restarted(supervisor, before))


def test_a_role_that_ends_by_itself_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def is_printed_twice() -> bool:
        supervisor.check()
        return log.read_text().count("once") >= 2

    with Supervisor([role("print('once')", log=log)]) as supervisor:
        assert within(DEADLINE_S, is_printed_twice)


def test_stopping_ends_all_roles() -> None:
    supervisor = Supervisor([role(SLEEPER, name="one"), role(SLEEPER, name="two")])
    supervisor.start()
    processes = [process_of(supervisor, name) for name in ("one", "two")]

    supervisor.stop()

    assert not any(process.is_running() for process in processes)
    assert supervisor.pids() == {}


def test_a_role_that_ignores_sigterm_is_killed_after_the_grace_time() -> None:
    supervisor = Supervisor([role(STUBBORN, ready="sleeper")], grace_s=0.3)
    supervisor.start()
    process = process_of(supervisor)

    supervisor.stop()

    assert not process.is_running()


def test_a_stopped_role_is_not_started_again() -> None:
    supervisor = Supervisor([role(SLEEPER)])
    supervisor.start()
    supervisor.stop()

    assert not within(1.0, lambda: is_started(supervisor))


def test_running_restarts_until_it_is_told_to_stop() -> None:
    supervisor, stop = Supervisor([role(SLEEPER)]), threading.Event()
    supervisor.start()
    before = process_of(supervisor)
    watcher = threading.Thread(target=supervisor.run, args=(stop.wait,))
    watcher.start()

    before.kill()
    assert within(DEADLINE_S, lambda: supervisor.pids().get("sleeper", before.pid) != before.pid)
    after = process_of(supervisor)
    stop.set()
    watcher.join(DEADLINE_S)

    assert not watcher.is_alive()
    assert not after.is_running()


def test_a_role_ends_when_its_supervisor_is_killed() -> None:
    argv = [sys.executable, "-c", SUPERVISOR, BOUND]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment()) as supervisor:
        assert supervisor.stdout is not None
        process = psutil.Process(int(supervisor.stdout.readline()))

        supervisor.kill()

    assert within(DEADLINE_S, lambda: is_over(process))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_role_whose_supervisor_died_before_it_asked_ends_at_once() -> None:
    env = {**environment(), "_BULKSEND_PARENT_PID": "1" if os.getpid() != 1 else "2"}

    done = subprocess.run([sys.executable, "-c", BOUND], env=env, timeout=DEADLINE_S, check=False)

    assert done.returncode == -signal.SIGTERM


def test_a_program_started_by_hand_does_not_depend_on_its_parent() -> None:
    code = "from worker.roles import die_with_parent; die_with_parent()"

    done = subprocess.run([sys.executable, "-c", code], env=environment(), timeout=DEADLINE_S, check=False)

    assert done.returncode == 0


def test_starting_waits_for_the_line_that_says_ready() -> None:
    code = "print('starting'); print('sandbox listening on http://127.0.0.1:4711', flush=True); " + SLEEPER

    with Supervisor([role(code, ready="sandbox listening on")]) as supervisor:
        assert supervisor.ready_line("sleeper") == "sandbox listening on http://127.0.0.1:4711"


def test_a_role_that_dies_before_it_is_ready_is_quoted() -> None:
    code = "import sys; sys.exit('Port 8025 is in use: choose another with --port.')"
    supervisor = Supervisor([role(code, ready="sandbox listening on")])

    with pytest.raises(ConfigError, match=r"The sleeper did not become ready; .*Port 8025 is in use"):
        supervisor.start()


def test_a_start_that_fails_leaves_no_other_role_running() -> None:
    supervisor = Supervisor([role(SLEEPER), role("pass", name="short", ready="never")])

    with pytest.raises(ConfigError, match="it said nothing"):
        supervisor.start()

    assert supervisor.pids() == {}


def test_a_program_that_is_missing_is_told_in_one_sentence() -> None:
    supervisor = Supervisor([Role(name="worker", argv=["/no/such/program"])])

    with pytest.raises(ConfigError, match="The worker could not be started: No such file or directory"):
        supervisor.start()


def test_output_is_appended_to_the_log_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")

    with Supervisor([role("import sys; print('out', flush=True); sys.exit('err')", log=log)]):
        assert within(DEADLINE_S, lambda: log.read_text() == "before\nout\nerr\n")


def test_lines_read_for_readiness_reach_the_log_file_too(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with Supervisor([role(SLEEPER, ready="sleeper", log=log)]):
        assert within(DEADLINE_S, lambda: log.exists() and log.read_text() == "sleeper ready\n")


def test_lines_are_handed_on_with_the_name_of_the_role() -> None:
    lines: list[tuple[str, str]] = []

    with Supervisor([role(SLEEPER)], on_line=lambda name, line: lines.append((name, line))):
        assert within(DEADLINE_S, lambda: lines == [("sleeper", "sleeper ready")])


@pytest.mark.parametrize("own_groups", [True, False])
def test_roles_lead_their_own_process_group_when_asked(*, own_groups: bool) -> None:
    with Supervisor([role(SLEEPER)], own_groups=own_groups) as supervisor:
        pid = supervisor.pids()["sleeper"]

        assert (os.getpgid(pid) == pid) is own_groups


def test_whoever_asked_hears_how_often_a_role_has_ended_in_a_row() -> None:
    ends: list[tuple[str, int]] = []
    supervisor = Supervisor([role("pass")], on_end=lambda name, n_ends: ends.append((name, n_ends)))

    def has_ended_twice() -> bool:
        supervisor.check()
        return len(ends) == 2

    with supervisor:
        assert within(DEADLINE_S, has_ended_twice)

    assert ends == [("sleeper", 1), ("sleeper", 2)]


def test_variables_of_a_role_are_not_shown_by_its_text() -> None:
    assert "hunter2" not in repr(Role(name="worker", argv=["true"], env={"KEY": "hunter2"}))


def test_a_stop_that_is_hurried_kills_what_does_not_end_within_moments() -> None:
    supervisor = Supervisor([role(STUBBORN, ready="sleeper")], grace_s=600)
    supervisor.start()
    process = process_of(supervisor)

    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(supervisor.stop)
        waited = not within(0.5, stopping.done)
        supervisor.hurry()
        is_stopped = within(DEADLINE_S, stopping.done)

    assert waited
    assert is_stopped
    assert is_over(process)
