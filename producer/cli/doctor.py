"""`bulksend doctor`: everything that can be checked, and whether the ledger adds up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import click

from producer.cli import EXIT_PARTLY
from producer.cli.output import Meter, echo_json, echo_table
from producer.standings import balance_facts, balance_words, provider_facts
from worker import doctor as examining
from worker.doctor import Examination
from worker.errors import ConfigError
from worker.ledger.audit import Audit
from worker.ledger.findings import Finding
from worker.ledger.reports import state_of
from worker.ledger.tally import CampaignTally
from worker.settings import Settings, load_settings

_SHOWN_CAMPAIGNS = 20
_SUMS = ("rows", "messages", "duplicates", "refused", "skipped")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def doctor(ctx: click.Context, /, *, as_json: bool) -> None:
    """Check settings, ledger, Redis and gateways, and whether everything adds up.

    Exit code 3 when something does not add up or cannot work.
    """
    found = _examined()
    facts = _facts(found)
    if as_json:
        echo_json(facts)
    else:
        _echo(facts)
    ctx.exit(EXIT_PARTLY if found.problems else 0)


def _examined() -> Examination:
    try:
        settings = load_settings()
    except ConfigError as error:
        return examining.unsettled(error)
    steps = itertools.count()
    with Meter("Checking", total=examining.STEPS + len(settings.providers)) as meter:
        return examining.examine(settings, on_step=lambda words: meter.show(next(steps), words))


# --- what is printed


def _facts(found: Examination) -> dict[str, Any]:
    audit = found.audit
    oldest = None if audit is None or audit.oldest_due_at is None else audit.now - audit.oldest_due_at
    return {
        "ok": not found.problems,
        "problems": [_finding(each) for each in found.problems],
        "notes": [_finding(each) for each in found.notes],
        "campaigns": [_campaign(each) for each in audit.campaigns] if audit else [],
        "providers": [*_providers(found)],
        "oldest_due_s": None if oldest is None else oldest / 1000,
        "leases": audit.n_leases if audit else None,
        "schema": found.schema,
        "redis": found.redis,
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "what": finding.words.rstrip("."), "step": finding.step}


def _campaign(campaign: CampaignTally) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "state": state_of(campaign.state, campaign.counts),
        **{name: getattr(campaign, name) for name in _SUMS},
        "counts": {state.value: n for state, n in campaign.counts.items()},
    }


def _providers(found: Examination) -> Iterator[dict[str, Any]]:
    if found.settings is None:
        return
    audit, names = found.audit, set(found.settings.providers)
    if audit is not None:
        names |= audit.providers.keys() | audit.standings.keys()
    for name in sorted(names):
        check = found.checks.get(name)
        yield {
            **_provider(name, found.settings, audit),
            "is_well": check.is_well if check else None,
            **balance_facts(check),
        }


def _provider(name: str, settings: Settings, audit: Audit | None) -> dict[str, Any]:
    if audit is None:
        return provider_facts(name, settings)
    since = audit.unknown_since.get(name)
    return provider_facts(
        name,
        settings,
        standing=audit.standings.get(name),
        counts=audit.providers.get(name, {}),
        unknown_ms=None if since is None else audit.now - since,
    )


def _echo(facts: dict[str, Any]) -> None:
    _echo_campaigns(facts["campaigns"])
    _echo_providers(facts["providers"])
    for kind, word in (("notes", "note"), ("problems", "PROBLEM")):
        for finding in facts[kind]:
            click.echo(f"{word}: {finding['what']}\n  -> {finding['step']}")
    n_problems = len(facts["problems"])
    bad = f"{n_problems} problem{'s' if n_problems > 1 else ''}; the next step stands below each"
    click.echo("Everything adds up" if facts["ok"] else bad)


def _echo_campaigns(campaigns: list[dict[str, Any]]) -> None:
    if not campaigns:
        return
    headers = ["campaign", "state", *_SUMS, "messages by state"]
    newest = campaigns[: -_SHOWN_CAMPAIGNS - 1 : -1]
    rows = (
        [row["id"], row["state"], *(row[name] for name in _SUMS), _counts(row["counts"])] for row in newest
    )
    echo_table(headers, rows)
    if len(campaigns) > len(newest):
        click.echo(f"and {len(campaigns) - len(newest)} older ones")
    click.echo()


def _echo_providers(providers: list[dict[str, Any]]) -> None:
    if not providers:
        return
    names = ("name", "gateway", "state")
    rows = ([*(row[name] for name in names), balance_words(row), _counts(row["counts"])] for row in providers)
    echo_table(["provider", "gateway", "state", "balance", "messages by state"], rows)
    click.echo()


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "none"
