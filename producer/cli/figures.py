"""What a preview came to, under the names of the contract and in words."""

from __future__ import annotations

from producer.cli.when import when_facts
from producer.preview import Preview
from worker.errors import InputError


def summary(found: Preview) -> dict[str, object]:
    """Give the figures of a preview under the names of the contract."""
    return {**sums(found), **when_facts(found.plan)}


def sums(found: Preview) -> dict[str, object]:
    """Give what an order comes to, apart from when it leaves."""
    return {
        "rows": found.rows,
        "messages": found.messages,
        "targets": found.targets,
        "duplicates": found.duplicates,
        "refused": found.refused,
        "skipped": found.skipped,
        "suppressed": found.suppressed,
        "parts": found.parts,
        "cost": found.cost.render(),
        "fallback": found.fallback,
        "cost_fallback": found.cost_fallback.render(),
    }


def require_messages(found: Preview) -> None:
    """Refuse an order that would send nothing."""
    if not found.messages:
        raise InputError("No row of the file can be sent to", code="nothing_to_send")


def target_words(found: Preview) -> str:
    """Say what nobody here knows of messages to groups and contacts that the gateway keeps."""
    what = "1 message goes" if found.targets == 1 else f"{found.targets} messages go"
    return (
        f"{what} to groups or contacts that the gateway keeps: Bulksend cannot see who gets them, "
        "nor count or price what is sent"
    )
