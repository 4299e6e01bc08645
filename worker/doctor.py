"""Examining an installation: settings, ledger, Redis and gateways; what is wrong, and what to do about it.

Changes nothing. A finding names settings and ids, never a secret, a number or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis
from sqlalchemy import Engine

from worker import embedded
from worker.broker import check_broker, redis_address
from worker.embedded.server import OLDEST
from worker.errors import ConfigError, LedgerError
from worker.folder import folder_of
from worker.ledger.audit import STEPS as AUDIT_STEPS
from worker.ledger.audit import Audit, audit
from worker.ledger.engine import open_ledger, reading
from worker.ledger.findings import Finding, note, problem
from worker.ledger.schema import SCHEMA, version
from worker.ledger.tally import snapshot
from worker.providers import accounts_of
from worker.settings import Settings
from worker.standing import Standing, check_standing
from worker.states import MessageState

OnStep = Callable[[str], None]

STEPS = 3 + AUDIT_STEPS
"""So often ``examine`` says what it looks at, and once more for each provider."""

_ANSWER_S = 3.0
_KEEPS_ALL = "noeviction"


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found; ``None`` stands for what could not be seen."""

    findings: tuple[Finding, ...]
    settings: Settings | None = None
    audit: Audit | None = None
    schema: str | None = None
    redis: str | None = None  # version of the one that runs
    checks: Mapping[str, Standing] = field(default_factory=dict)  # by provider

    @property
    def problems(self) -> list[Finding]:
        """What does not add up, or cannot work."""
        return [finding for finding in self.findings if finding.is_problem]

    @property
    def notes(self) -> list[Finding]:
        """What a person should know."""
        return [finding for finding in self.findings if not finding.is_problem]


def examine(settings: Settings, *, on_step: OnStep = lambda _: None) -> Examination:
    """Look at everything; whatever is away becomes a finding, never an exception.

    Args:
        settings: of the installation.
        on_step: told what is looked at, before it is.
    """
    findings: list[Finding] = []
    schema, found = _look_at_ledger(settings, findings, on_step=on_step)
    on_step("Redis")
    server = _look_at_redis(settings, findings)
    on_step("providers")
    checks = _look_at_providers(settings, findings, on_step=on_step)
    if found is not None:
        findings.extend(found.findings)
        findings.extend(_of_forgotten_providers(found, settings))
    return Examination(
        findings=tuple(findings), settings=settings, audit=found, schema=schema, redis=server, checks=checks
    )


def unsettled(error: ConfigError) -> Examination:
    """Return what can be said where the settings themselves cannot be read."""
    return Examination(findings=(problem("settings", str(error), "correct the settings"),))


# --- the ledger


def _look_at_ledger(
    settings: Settings, findings: list[Finding], *, on_step: OnStep
) -> tuple[str | None, Audit | None]:
    """Return its schema and its sums, as far as they can be seen."""
    on_step("ledger")
    schema = None
    try:
        engine = open_ledger(settings.ledger)
        schema = _schema_of(engine)
        if schema == SCHEMA:
            with snapshot(engine) as connection:
                return schema, audit(connection, on_step=on_step)
    except (ConfigError, LedgerError) as error:
        findings.append(problem("ledger", str(error), "nothing is sent until the ledger can be used"))
        return schema, None
    findings.append(_of_schema(schema))
    return schema, None


def _schema_of(engine: Engine) -> str | None:
    """Return the schema; opening a SQLite ledger that is not there would make one."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return None
    with reading(engine) as connection:
        return version(connection)


def _of_schema(schema: str | None) -> Finding:
    if schema is None:
        return note("no_ledger", "there is no ledger yet", "the first `bulksend send` or worker makes it")
    words = f"the ledger has schema {schema}, this program needs {SCHEMA}"
    if schema < SCHEMA:
        step = "stop the workers, back the ledger up and run `bulksend ledger upgrade`"
        return problem("schema", words, step)
    return problem("schema", words, "install the newer Bulksend that wrote it")


# --- Redis


def _look_at_redis(settings: Settings, findings: list[Finding]) -> str | None:
    """Return the version of the Redis that runs, as far as it can be asked."""
    try:
        address = _address_of(settings)
        if address is None:
            findings.append(note("redis_off", "the embedded Redis does not run", "whoever sends starts it"))
            return None
        with redis.Redis.from_url(
            address, socket_connect_timeout=_ANSWER_S, socket_timeout=_ANSWER_S
        ) as client:
            return _ask(client, findings)
    except ConfigError as error:
        findings.append(problem("redis", str(error), "correct `broker`, or install Redis"))
    except (redis.RedisError, OSError) as error:  # whose words may hold the address with its password
        words = f"Redis cannot be used ({type(error).__name__})"
        findings.append(problem("redis", words, "start it, or correct `broker`; what is queued stays queued"))
    return None


def _address_of(settings: Settings) -> str | None:
    """Return where Redis is, None where an embedded one does not run.

    Raises:
        ConfigError: the address is of no use, or there is no server program.
    """
    if settings.broker is not None:
        check_broker(settings.broker)
        return redis_address(settings.broker)
    running = embedded.running_url(folder_of(settings))
    if running is None:
        embedded.find_server()
        return None
    return redis_address(running)


def _ask(client: redis.Redis, findings: list[Finding]) -> str | None:
    client.ping()
    server = _answer(lambda: client.info("server")["redis_version"])
    oldest = ".".join(map(str, OLDEST))
    if server is None:
        words = "Redis does not tell this user about itself, and without that nothing is sent"
        findings.append(problem("redis_refuses", words, "let the user run INFO, EVAL and EVALSHA"))
    if server is not None and _numbers(server) < OLDEST:
        findings.append(
            problem("redis_old", f"Redis is of version {server}, {oldest} is needed", "install a newer one")
        )
    policy = _answer(lambda: client.config_get("maxmemory-policy")["maxmemory-policy"])
    if policy not in {None, _KEEPS_ALL}:
        words = f"Redis has maxmemory-policy {policy}, and so throws hints away when it is full"
        findings.append(problem("redis_evicts", words, f"set maxmemory-policy {_KEEPS_ALL}"))
    return server


def _answer(ask: Callable[[], object]) -> str | None:
    """Return an answer, None where this user may not ask, as is so with hosted ones."""
    try:
        return str(ask())
    except (redis.ResponseError, KeyError):
        return None


def _numbers(server: str) -> tuple[int, ...]:
    return tuple(int(word) for word in server.split(".")[:2] if word.isdecimal())


# --- providers


def _look_at_providers(
    settings: Settings, findings: list[Finding], *, on_step: OnStep
) -> dict[str, Standing]:
    """Return how the gateways say that the accounts stand."""
    try:
        accounts = accounts_of(settings)
    except ConfigError as error:
        findings.append(problem("providers", str(error), f"correct {settings.source.name}"))
        return {}
    if not accounts:
        words = f"{settings.source.name} has no provider"
        findings.append(problem("providers", words, "add a section [providers.NAME]"))
    checks: dict[str, Standing] = {}
    for name, account in accounts.items():
        on_step(f"gateway of {name}")
        try:
            standing = check_standing(account)
        except ConfigError as error:
            findings.append(problem("secret", str(error), "workers do not start without it"))
            continue
        checks[name] = standing
        if not standing.is_well:
            step = f"mend it, then `bulksend provider check {name}` looks again"
            findings.append(problem("gateway", f"provider {name}: {standing.reason}", step))
    return checks


def _of_forgotten_providers(found: Audit, settings: Settings) -> Iterator[Finding]:
    for name, counts in found.providers.items():
        n_queued = counts[MessageState.QUEUED]
        if n_queued and name not in settings.providers:
            words = f"{n_queued} messages wait for provider {name}, which is not in {settings.source.name}"
            yield note("forgotten_provider", words, "put it back, or cancel their campaigns")
