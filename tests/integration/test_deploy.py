import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from sqlalchemy import make_url

from tests.conftest import free_port
from tests.deployment import DEPLOY, EXAMPLE, SERVICES, environment_of
from worker.settings import Timers
from worker.waiting import within

pytestmark = [
    pytest.mark.redis,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.xdist_group("deploy"),  # they share what is started once
]

BULKSEND = [sys.executable, "-m", "producer.cli"]
START_S = 40.0
MSISDNS = [f"+452030{n}" for n in range(4050, 4070)]
TEXT = "Appointment confirmed, {{ first_name }}"
PRIVATE = [*(msisdn.removeprefix("+") for msisdn in MSISDNS), "Appointment", "Zoë", EXAMPLE["ACME_CPSMS_KEY"]]


@dataclass(kw_only=True)
class Deployment:
    """Our services of compose.yaml as processes here, with the settings and variables of deploy/."""

    folder: Path
    hosts: dict[str, str]
    flower: str
    receipts: str
    sandbox: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: str, *words: str) -> None:
        """Start the command of a service; the words replace its addresses by ones of 127.0.0.1."""
        command = [*BULKSEND, *SERVICES[service]["command"], *words]
        with self.log(service).open("wb") as log:
            self.processes[service] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(service), stdout=log, stderr=log
            )

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables of a service, with the hosts of this machine."""
        given = environment_of(service)
        here = {name: self.hosts.get(name, value) for name, value in given.items()}
        return {**os.environ, **here, "FLOWER_UNAUTHENTICATED_API": "true"}  # closed otherwise

    def log(self, service: str) -> Path:
        """Return the file of what a service prints."""
        return self.folder / f"{service}.log"

    def family(self, service: str) -> list[psutil.Process]:
        """Return the process of a service and all below it."""
        process = psutil.Process(self.processes[service].pid)
        return [process, *process.children(recursive=True)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as ``docker compose run worker`` does."""
        return subprocess.run(
            [*BULKSEND, *words],
            cwd=self.folder,
            env=self.environment("worker"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def database_url(postgres_server: str) -> Iterator[str]:
    server = make_url(postgres_server).set(drivername="postgresql")
    name = f"bulksend_{uuid.uuid4().hex}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def deployment(
    redis_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    ports = {name: free_port() for name in ("sandbox", "flower", "receipts")}
    receipts = f"http://127.0.0.1:{ports['receipts']}"
    deployment = Deployment(
        folder=tmp_path_factory.mktemp("deploy"),
        hosts={
            "BULKSEND_BROKER": redis_url,
            "BULKSEND_LEDGER": database_url,
            "BULKSEND_RECEIPTS__PUBLIC_URL": receipts,
        },
        receipts=receipts,
        sandbox=f"http://127.0.0.1:{ports['sandbox']}",
        flower=f"http://127.0.0.1:{ports['flower']}",
    )
    settings = (DEPLOY / "bulksend.toml").read_text(encoding="utf-8")
    here = settings
    for there, port in {"sandbox:8025": ports["sandbox"], "0.0.0.0:8026": ports["receipts"]}.items():
        assert there in settings
        here = here.replace(there, f"127.0.0.1:{port}")
    (deployment.folder / "bulksend.toml").write_text(here, encoding="utf-8")
    with ExitStack() as stack:
        stack.callback(kill_all, deployment)
        deployment.start("sandbox", "--host=127.0.0.1", f"--port={ports['sandbox']}")
        deployment.start("flower", "--address=127.0.0.1", f"--port={ports['flower']}")
        deployment.start("worker")
        deployment.start("receipts")
        assert within(START_S, lambda: answers(f"{deployment.flower}/healthcheck")), log_of(deployment)
        assert within(START_S, lambda: "receipts listening on" in log_of(deployment)), log_of(deployment)
        yield deployment


def kill_all(deployment: Deployment) -> None:
    for service, process in deployment.processes.items():
        for member in deployment.family(service) if process.poll() is None else []:
            member.kill()
        process.wait()


def log_of(deployment: Deployment) -> str:
    return "".join(deployment.log(service).read_text() for service in deployment.processes)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def sent(deployment: Deployment) -> subprocess.CompletedProcess[str]:
    rows = "".join(f"{msisdn},Zoë\n" for msisdn in MSISDNS)
    (deployment.folder / "members.csv").write_text(f"phone,first_name\n{rows}", encoding="utf-8")
    return deployment.run("send", "members.csv", "--text", TEXT, "--via", "sandbox", "--wait", "--json")


def test_a_file_is_sent_and_every_message_accepted(
    sent: subprocess.CompletedProcess[str], deployment: Deployment
) -> None:
    counts = json.loads(sent.stdout)["counts"]

    assert sent.returncode == 0, sent.stderr + log_of(deployment)
    assert counts["accepted"] + counts["delivered"] == len(MSISDNS)


def test_the_simulator_received_each_number_once(
    sent: subprocess.CompletedProcess[str], deployment: Deployment
) -> None:
    accepted = requests.get(f"{deployment.sandbox}/_sandbox/accepted", timeout=10).text.splitlines()

    assert sent.returncode == 0
    assert sorted(json.loads(line)["msisdn"] for line in accepted) == MSISDNS


@pytest.mark.usefixtures("sent")
def test_the_delivery_reports_of_the_simulator_are_counted(deployment: Deployment) -> None:
    def is_told() -> bool:
        shown = deployment.run("campaign", "show", "1", "--json")
        return bool(json.loads(shown.stdout)["counts"]["delivered"] == len(MSISDNS))

    assert within(START_S, is_told, every_s=1), log_of(deployment)


@pytest.mark.parametrize("service", ["flower", "receipts"])
def test_a_healthcheck_tells_whether_a_service_answers(service: str, deployment: Deployment) -> None:
    ports = [getattr(deployment, service).rpartition(":")[2], str(free_port())]

    codes = [
        subprocess.run(healthcheck(service, port=port), stderr=subprocess.DEVNULL, check=False).returncode
        for port in ports
    ]

    assert codes == [0, 1]


def healthcheck(service: str, *, port: str) -> list[str]:
    kind, program, *words = SERVICES[service]["healthcheck"]["test"]
    inner = SERVICES[service]["ports"][0].rpartition(":")[2]
    assert (kind, program) == ("CMD", "python")
    return [sys.executable, *(word.replace(f":{inner}", f":{port}") for word in words)]


@pytest.mark.usefixtures("sent")
def test_flower_shows_the_batches_and_no_number_text_or_secret(deployment: Deployment) -> None:
    assert within(START_S, lambda: bool(tasks_done(deployment)))

    pages = flower_pages(deployment)

    assert "bulksend.send_batch" in pages["api/tasks"]
    assert {path for path, page in pages.items() if any(word in page for word in PRIVATE)} == set()


def tasks_done(deployment: Deployment) -> list[str]:
    tasks = requests.get(f"{deployment.flower}/api/tasks", timeout=10).json()
    return [name for name, task in tasks.items() if task["state"] == "SUCCESS"]


def flower_pages(deployment: Deployment) -> dict[str, str]:
    workers = requests.get(f"{deployment.flower}/api/workers?refresh=1", timeout=10).json()
    one_by_one = [
        *(f"task/{name}" for name in tasks_done(deployment)),
        *(f"worker/{name}" for name in workers),
    ]
    paths = ["", "tasks", "broker", "metrics", "api/tasks", "api/workers", *one_by_one]
    answers = {path: requests.get(f"{deployment.flower}/{path}", timeout=10) for path in paths}
    assert all(answer.ok for answer in answers.values())
    return {path: answer.text for path, answer in answers.items()}


@pytest.mark.parametrize(
    "path", ["api/task/async-apply/bulksend.send_batch", "api/task/send-task/bulksend.send_batch"]
)
def test_flower_starts_no_task_even_where_its_interface_is_open(path: str, deployment: Deployment) -> None:
    answer = requests.post(f"{deployment.flower}/{path}", json={"args": [1]}, timeout=10)

    assert answer.status_code == 403


@pytest.mark.usefixtures("sent")
def test_the_logs_have_no_number_text_or_secret(deployment: Deployment) -> None:
    log = log_of(deployment)

    assert '"logger"' in log
    assert [word for word in PRIVATE if word in log] == []


# The last: they stop what the others need.
@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("service", ["flower", "receipts", "worker", "sandbox"])
def test_sigterm_stops_a_service_cleanly_and_leaves_nothing_running(
    service: str, deployment: Deployment
) -> None:
    family = deployment.family(service)

    deployment.processes[service].terminate()
    code = deployment.processes[service].wait(Timers().grace)

    assert code == 0, log_of(deployment)
    assert psutil.wait_procs(family, timeout=2)[1] == []
