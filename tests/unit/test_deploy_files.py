import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import click
import pytest
from sqlalchemy import make_url

from tests.deployment import COMPOSE_TEXT, DEPLOY, EXAMPLE, OURS, ROOT, SERVICES, VARIABLE, parse_command
from tests.deployment import environment_of as environment_of_service
from worker.providers import Account, accounts_of
from worker.settings import Settings, load_settings

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
BUILD_STAGE, RUN_STAGE = DOCKERFILE.split("\nFROM ")[1:]
COPY = re.compile(r"^COPY (?!--)(.+) (\S+)$", re.MULTILINE)
COPIED = {name for sources, _ in COPY.findall(DOCKERFILE) for name in sources.split()}
SHELL_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
README = (DEPLOY / "README.md").read_text(encoding="utf-8")
README_LINES = [line for block in SHELL_BLOCK.findall(README) for line in block.splitlines()]
READ_BY_COMPOSE = {"COMPOSE_PROFILES"}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment_of_service("worker").items():
        monkeypatch.setenv(name, value)
    return load_settings(DEPLOY / "bulksend.toml")


@pytest.fixture
def account(settings: Settings) -> Account:
    (account,) = accounts_of(settings).values()
    return account


# --- compose.yaml


@pytest.mark.parametrize("service", OURS)
def test_the_command_of_each_service_is_one_that_bulksend_knows(service: str) -> None:
    parse_command(SERVICES[service]["command"])


def test_a_command_that_bulksend_does_not_know_is_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse_command(["worker", "--ticks=3"])


def test_env_example_has_the_variables_that_are_used_and_no_others() -> None:
    named = re.findall(r'"env:(\w+)"', (DEPLOY / "bulksend.toml").read_text(encoding="utf-8"))
    read_by_bulksend = {name for name in EXAMPLE if name.startswith("BULKSEND_")}

    used = {*VARIABLE.findall(COMPOSE_TEXT), *named, *read_by_bulksend, *READ_BY_COMPOSE}

    assert used == set(EXAMPLE)


def test_no_service_has_a_secret_written_beside_it() -> None:
    words = re.compile("PASSWORD|SECRET|KEY|TOKEN")
    written = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if words.search(name)
    }

    assert written
    assert all(VARIABLE.fullmatch(value) for value in written.values())


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_worker_has_longer_to_stop_than_its_requests(settings: Settings) -> None:
    grace = SERVICES["worker"]["stop_grace_period"]

    assert float(grace.removesuffix("s")) > settings.timers.grace


def test_workers_can_be_many() -> None:
    assert SERVICES["worker"].keys().isdisjoint({"container_name", "hostname", "ports"})


def test_every_volume_that_is_mounted_is_declared_or_a_file_beside_it() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    sources = {mount.split(":")[0] for mount in mounts}

    assert sources == {"./bulksend.toml", "kept", "redis", "postgres"}


def test_redis_keeps_its_file_and_evicts_nothing() -> None:
    words = SERVICES["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))

    assert options == {"--appendonly": "yes", "--appendfsync": "everysec", "--maxmemory-policy": "noeviction"}


def test_reports_are_taken_in_where_the_container_is_open(settings: Settings) -> None:
    (published,) = SERVICES["receipts"]["ports"]

    assert str(settings.receipts.listen) == f"0.0.0.0:{published.rpartition(':')[2]}"


def test_without_a_public_address_no_gateway_is_given_one(settings: Settings) -> None:
    assert settings.receipts.public_url is None


def test_the_public_address_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of_service("receipts").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BULKSEND_RECEIPTS__PUBLIC_URL", "https://sms.example.org")

    receipts = load_settings(DEPLOY / "bulksend.toml").receipts

    assert (receipts.public_url, receipts.listen.port) == ("https://sms.example.org", 8026)


def test_what_runs_only_when_it_is_wanted_is_named_in_env_example() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")

    assert profiles == {"sandbox", "receipts"}
    assert all(profile in text for profile in profiles)


# --- bulksend.toml and env.example


def test_the_ledger_is_the_postgres_of_compose(settings: Settings) -> None:
    ledger, postgres = make_url(settings.ledger), SERVICES["postgres"]["environment"]

    assert ledger.host in SERVICES
    assert (ledger.username, ledger.database) == (postgres["POSTGRES_USER"], postgres["POSTGRES_DB"])


def test_the_broker_is_the_redis_of_compose(settings: Settings) -> None:
    assert settings.broker == "redis://redis:6379/0"


def test_the_first_provider_is_the_simulator_of_compose(account: Account) -> None:
    port = SERVICES["sandbox"]["ports"][0].rpartition(":")[2]

    assert str(account.provider.base_url).startswith(f"http://sandbox:{port}/")


def test_the_secret_of_the_first_provider_is_in_the_environment(account: Account) -> None:
    assert account.secret() == EXAMPLE["ACME_CPSMS_KEY"]


def test_the_provider_that_is_prepared_for_real_sends_is_sound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (DEPLOY / "bulksend.toml").read_text(encoding="utf-8")
    head, found, section = text.partition("# [providers.acme-dk]")
    file = tmp_path / "bulksend.toml"
    file.write_text(head + (found + section).replace("\n# ", "\n").removeprefix("# "), encoding="utf-8")
    monkeypatch.setenv("BULKSEND_LEDGER", "sqlite:///bulksend.db")

    accounts = accounts_of(load_settings(file))

    assert accounts["acme-dk"].provider.base_url is None


def test_git_ignores_the_file_with_the_secrets() -> None:
    assert ".env" in (DEPLOY / ".gitignore").read_text(encoding="utf-8").splitlines()


# --- README.md


def test_the_commands_of_the_readme_are_ones_that_bulksend_knows() -> None:
    commands = [line.partition(" worker ")[2] for line in README_LINES if " run " in line]

    assert len(commands) >= 4
    for command in commands:
        parse_command(shlex.split(command))


def test_the_services_that_the_readme_names_are_in_compose() -> None:
    stopped = [line.partition(" stop ")[2].split() for line in README_LINES if " stop " in line]
    entered = [line.split()[4:5] for line in README_LINES if line.startswith("docker compose exec -T")]

    assert set(chain(*stopped, *entered)) == {"worker", "receipts", "flower", "postgres"}
    assert set(chain(*stopped, *entered)) <= set(SERVICES)


# --- Dockerfile


def test_what_is_copied_exists() -> None:
    assert [name for name in sorted(COPIED) if not (ROOT / name).exists()] == []


def test_the_builder_is_given_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == COPIED


def test_the_image_runs_a_worker_as_nobody_special() -> None:
    settings = dict(re.findall(r"^(USER|ENTRYPOINT|CMD|STOPSIGNAL) (.+)$", RUN_STAGE, re.MULTILINE))

    assert settings == {
        "USER": "10001:10001",
        "STOPSIGNAL": "SIGTERM",
        "ENTRYPOINT": '["bulksend"]',
        "CMD": '["worker"]',
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_steps_of_the_builder_make_a_program_that_starts(tmp_path: Path) -> None:
    source, target = tmp_path / "src", tmp_path / "bulksend"
    for name in COPIED:
        copy(ROOT / name, source / name)

    for step in re.findall(r"^RUN (.+)$", BUILD_STAGE, re.MULTILINE):
        words = shlex.split(step.replace("/opt/bulksend", str(target)))
        assert words[0] == "python"
        subprocess.run([sys.executable, *words[1:]], cwd=source, check=True, stdout=subprocess.DEVNULL)

    shutil.rmtree(source)
    said = subprocess.check_output([target / "bin/bulksend", "--version"], text=True, env=clean_environment())
    assert said.startswith("bulksend, version ")
    assert not list(target.glob("bin/pip*"))


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
