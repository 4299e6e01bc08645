"""What becomes of the reminders of a series, as `remind` tells it: for programs, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from producer.cli.costs import most_words
from producer.cli.figures import sums
from producer.cli.output import SHOWN_PROBLEMS, echo_facts, echo_table
from producer.cli.preview import echo_samples
from producer.cli.when import opening_rows, when_facts, when_line, when_sentences
from producer.preview import Preview
from producer.reminders.comparing import Comparison
from producer.reminders.moments import Skip
from producer.reminders.outlook import SKIPPED, by_offset, figures_of, plan_of
from producer.reminders.reading import Read, Wish
from producer.reminders.sheet import WRITTEN, Sheet, Verdict
from producer.schedule.plan import Plan
from worker.text.counting import counted
from worker.timing.words import duration_words

_KINDS: Mapping[str, tuple[Verdict, ...]] = {
    "new": (Verdict.NEW,),
    "unchanged": (Verdict.SAME,),
    "moved": (Verdict.MOVE, Verdict.MOVED, Verdict.AGAIN),
    "moved_after_sending": (Verdict.AFTER,),
    "renumbered": (Verdict.RENUMBER, Verdict.RENUMBERED, Verdict.REWRITTEN),
    "corrected": (Verdict.CORRECTED,),
    "misdirected": (Verdict.MISDIRECTED,),
    "cancelled_before": (Verdict.CANCELLED,),
}
_WORDS = {
    "moved_after_sending": "moved after sending, so sent once more",
    "renumbered": "to another number now",
    "corrected": "come to nothing at another number, so sent to that of the file",
    "misdirected": "gone to another number than the file has now, not sent again",
    "cancelled_before": "cancelled before, not begun again",
}
_SKIPS: Mapping[str, str] = {
    Skip.PAST: "the time is over",
    Skip.NO_OPENING: "no window opens between then and the appointment",
    Skip.SAME_MOMENT: "another one of the appointment leaves at that moment, as a window moves it",
    Verdict.SUPPRESSED: "the number has opted out",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run came to, or would.

    Attributes:
        compared: with what was there.
        figures: of the new messages.
        plan: when what is new or changed leaves.
        offsets: reminders by verdict, for each time before the appointment.
        gone: how many were cancelled with nothing in their place, by how long before; of these,
            ``n_removed`` are not in the file.
        campaign_id: of the new messages; None: there are none, or nothing was done.
    """

    wish: Wish
    found: Read
    compared: Comparison
    figures: Preview
    plan: Plan
    offsets: Mapping[int, Counter[str]]
    gone: Counter[int]
    n_removed: int
    campaign_id: int | None = None

    @property
    def n_cancelled(self) -> int:
        """How many were cancelled with nothing in their place."""
        return self.gone.total()

    @property
    def verdicts(self) -> Counter[str]:
        """The reminders by verdict."""
        return sum(self.offsets.values(), Counter())


def told_of(  # noqa: PLR0913 - what a run came to
    wish: Wish,
    found: Read,
    sheet: Sheet,
    compared: Comparison,
    *,
    gone: Counter[int],
    n_removed: int,
    campaign_id: int | None = None,
) -> Told:
    """Gather what is told; ``gone`` is how many are cancelled with nothing in their place, by offset."""
    return Told(
        wish=wish,
        found=found,
        compared=compared,
        figures=figures_of(wish, found, sheet),
        plan=plan_of(wish, sheet),
        offsets=by_offset(sheet),
        gone=gone,
        n_removed=n_removed,
        campaign_id=campaign_id,
    )


def facts(told: Told) -> dict[str, object]:
    """Give it under the names of the contract.

    Reminders are rows x sends = new + unchanged + moved + moved_after_sending + renumbered + corrected +
    misdirected + cancelled_before + those of skips that are left out + duplicates + refused. The messages of
    the campaign are new + moved_after_sending + corrected + rewritten, which are those of moved and
    renumbered that could not be changed in their place. ``skips`` says of all that has no new message what
    became of it.
    """
    figures, verdicts = told.figures, told.verdicts
    n_reminders = figures.rows * len(told.wish.befores_ms)
    return {
        "rows": figures.rows,
        "sends": len(told.wish.befores_ms),
        "messages": figures.messages,
        "duplicates": figures.duplicates,
        "refused": figures.refused,
        "skipped": n_reminders - figures.messages - figures.duplicates - figures.refused,
        "skips": {each: n for each, n in sorted(verdicts.items()) if each not in WRITTEN},
        "reasons": dict(told.found.refused),
        "parts": figures.parts,
        "cost": figures.cost.render(),
        "fallback": figures.fallback,
        "cost_fallback": figures.cost_fallback.render(),
        **kinds(verdicts),
        "rewritten": verdicts[Verdict.AGAIN] + verdicts[Verdict.REWRITTEN],
        "cancelled": told.n_cancelled,
        "removed": told.n_removed,
        "offsets": list(_offset_facts(told)),
        "without_reminder": told.compared.n_missed,
        "first_without": [{"line": each.line, "code": each.code} for each in told.compared.missed],
        "over": told.compared.n_over,
        "first_over": [each.line for each in told.compared.over],
        "queued_elsewhere": dict(told.compared.doubled),
        "when": when_facts(told.plan),
        "series": told.wish.series,
        "campaign_id": told.campaign_id,
    }


def kinds(verdicts: Mapping[str, int]) -> dict[str, int]:
    """Count the reminders that the file asks for by what becomes of them; each counts once."""
    return {name: sum(verdicts.get(each, 0) for each in several) for name, several in _KINDS.items()}


def _offset_facts(told: Told) -> Iterator[dict[str, object]]:
    for before_ms in told.wish.befores_ms:
        verdicts = told.offsets.get(before_ms, Counter())
        yield {
            "before": duration_words(before_ms),
            **kinds(verdicts),
            "cancelled": told.gone[before_ms],
            **{str(each): verdicts[each] for each in SKIPPED},
        }


# --- words


def echo_told(told: Told, *, is_preview: bool = False) -> None:
    """Say what was done, or would be, on standard error."""
    done = {**kinds(told.verdicts), "cancelled": told.n_cancelled}
    words = ", ".join(f"{_WORDS.get(name, name)}: {n}" for name, n in done.items() if n) or "nothing to do"
    head = f"Reminders of the series {told.wish.series}"
    head = f"Nothing was changed. {head} would be" if is_preview else head
    click.echo(f"{head}: {words}", err=True)
    _echo_skips(told)
    figures = told.figures
    if told.campaign_id is not None:
        click.echo(
            f"Campaign {told.campaign_id}: {counted(figures.messages, 'message')}, "
            f"{counted(figures.parts, 'part')}, {most_words(figures)}",
            err=True,
        )
    if told.plan.starts_at is None:
        return
    if not is_preview:
        click.echo(f"What is new or changed leaves {when_line(told.plan)}", err=True)
    for sentence in when_sentences(told.plan):
        click.echo(sentence, err=True)


def _echo_skips(told: Told) -> None:
    for code, words in _SKIPS.items():
        if n := told.verdicts[code]:
            click.echo(f"{counted(n, 'reminder', verb='is')} left out: {words} [{code}]", err=True)
    compared = told.compared
    if compared.n_missed:
        head = f"{counted(compared.n_missed, 'appointment', verb='has')} no reminder at all"
        lines = [f"line {each.line}: {_SKIPS[each.code]} [{each.code}]" for each in compared.missed]
        _echo_first(head, lines, total=compared.n_missed)
    if compared.n_over:
        head = f"{counted(compared.n_over, 'appointment', verb='is')} over, with no reminder known"
        _echo_first(head, [f"line {each.line}" for each in compared.over], total=compared.n_over)


def _echo_first(head: str, lines: Sequence[str], *, total: int) -> None:
    shown = lines[:SHOWN_PROBLEMS]
    click.echo("\n  ".join([f"{head}:", *shown]), err=True)
    if total > len(shown):
        click.echo(f"  and {total - len(shown)} more", err=True)


def echo_preview(told: Told) -> None:
    """Print what a run would come to."""
    echo_told(told, is_preview=True)
    known = {"targets": None, "skipped": None, "suppressed": None, "cost_fallback": None}
    cost = most_words(told.figures) if told.figures.messages else "nothing"
    echo_facts({**sums(told.figures), **known, "cost": cost, "leaves": when_line(told.plan)})
    click.echo()
    echo_table(_COLUMNS, _offset_rows(told))
    if rows := list(opening_rows(told.plan)):
        click.echo()
        echo_table(["from", "to about", "messages"], rows)
    echo_samples(told.found.found)


_COLUMNS = ("before", "new", "moved", "other number", "cancelled", "unchanged", "left out")


def _offset_rows(told: Told) -> Iterator[list[object]]:
    for each in _offset_facts(told):
        count = Counter({name: n for name, n in each.items() if isinstance(n, int)})
        yield [
            each["before"],
            count["new"],
            count["moved"] + count["moved_after_sending"],
            count["renumbered"] + count["corrected"],
            count["cancelled"],
            count["unchanged"] + count["cancelled_before"] + count["misdirected"],
            sum(count[code] for code in SKIPPED),
        ]
