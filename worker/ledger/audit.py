"""The conservation sums of the ledger: whether everything adds up, what does not, and what waits for whom.

Reads only, and costs a few passes over the messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Select, func, select

from worker.ledger import deliveries, findings, settling, tally
from worker.ledger.accounts import AccountStanding, standings
from worker.ledger.engine import now_of
from worker.ledger.findings import BROKEN, LONG_MS, Finding
from worker.ledger.letting import LET_IN
from worker.ledger.models import EARLIER_SUBMISSIONS, MESSAGES, SUBMISSIONS
from worker.ledger.settling import RESENT
from worker.states import PROVEN, BatchState, CampaignState, MessageState, SubmissionOutcome

_NAMED = 5
"""So much is named of what is wrong in the same way."""

_M = MessageState


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What one look at the whole ledger found. Instants are epoch milliseconds of the database's clock."""

    now: int
    findings: tuple[Finding, ...]
    campaigns: tuple[tally.CampaignTally, ...]
    providers: Mapping[str, Counter[MessageState]]  # of their rows
    unknown_since: Mapping[str, int]  # the oldest, by the provider that it was sent through
    standings: Mapping[str, AccountStanding]
    n_leases: int
    oldest_due_at: int | None  # of the work that waits for nothing but a worker


def audit(connection: Connection, *, on_step: Callable[[str], None] = lambda _: None) -> Audit:
    """Look at the whole ledger; at a ``tally.snapshot``, else workers may change it in between.

    Args:
        connection: of an open read transaction.
        on_step: told what is looked at, before it is.
    """
    on_step("batches")
    campaigns = tally.campaign_tallies(connection)
    walk = _Walk(campaigns, standings(connection), now=now_of(connection))
    walk.take(tally.batch_tallies(connection))
    for campaign in campaigns.values():
        walk.findings.extend(findings.of_campaign(campaign, now=walk.now))
    for rule in _rules():
        on_step(rule.looks_at)
        walk.findings.extend(_broken(connection, rule))
    on_step("what is unknown")
    walk.take_unknown(settling.ages(connection))
    n_unread = deliveries.unread(connection, older_than_ms=LONG_MS)
    if n_unread:
        walk.findings.append(findings.of_unread_reports(n_unread))
    walk.look_for_workers(tally.last_request_at(connection))
    return walk.result()


class _Walk:
    """One way through the ledger: the sums, and what is wrong or waits."""

    def __init__(
        self,
        campaigns: Mapping[int, tally.CampaignTally],
        standings: Mapping[str, AccountStanding],
        *,
        now: int,
    ) -> None:
        self.now = now
        self.findings = [finding for each in standings.values() for finding in findings.of_account(each)]
        self._campaigns = campaigns
        self._standings = standings
        self._providers: dict[str, Counter[MessageState]] = {}
        self._unknown_since: dict[str, int] = {}
        self._leases: Counter[str] = Counter()
        self._idle: dict[str, int] = {}  # provider to the time since which messages of it could leave

    def take(self, batches: Iterable[tally.BatchTally]) -> None:
        """Look at every batch; keep only a few findings of each kind."""
        kinds: dict[str, list[Finding]] = {}
        n_found: Counter[str] = Counter()
        for batch in batches:
            campaign = self._campaigns[batch.campaign_id]
            self._add(batch, campaign)
            for finding in findings.of_batch(batch, campaign, now=self.now):
                n_found[finding.code] += 1
                if n_found[finding.code] <= _NAMED:
                    kinds.setdefault(finding.code, []).append(finding)
        for code, found in kinds.items():
            self.findings.extend(found)
            if n_found[code] > _NAMED:
                words = f"and so {n_found[code] - _NAMED} times more ({code})"
                self.findings.append(replace(found[0], words=words))

    def _add(self, batch: tally.BatchTally, campaign: tally.CampaignTally) -> None:
        is_let_in = not batch.is_added or campaign.importing_until == LET_IN
        (campaign.counts if is_let_in else campaign.added).update(batch.counted)
        self._providers.setdefault(batch.provider, Counter()).update(batch.counted)
        self._leases[batch.provider] += batch.state is BatchState.LEASED
        if self._is_idle(batch, campaign):
            since = self._idle.get(batch.provider, batch.next_due_at)
            self._idle[batch.provider] = min(batch.next_due_at, since)

    def _is_idle(self, batch: tally.BatchTally, campaign: tally.CampaignTally) -> bool:
        """Whether the batch waits for nothing but a worker."""
        standing = self._standings.get(batch.provider)
        return (
            batch.state is BatchState.OPEN
            and batch.counted[_M.QUEUED] > 0
            and batch.next_due_at <= self.now
            and campaign.state is CampaignState.RUNNING
            and (standing is None or (standing.state == "open" and standing.throttled_until is None))
        )

    def take_unknown(self, ages: Mapping[str, tuple[int, int]]) -> None:
        """Note what is unknown: how much by provider, and since when."""
        for name, (n, since) in ages.items():
            self._unknown_since[name] = since
            self.findings.append(findings.of_unknown(name, n=n, age_ms=self.now - since))

    def look_for_workers(self, last_request: int | None) -> None:
        """Note the providers for which work is due and nobody comes."""
        if last_request is not None and last_request > self.now - LONG_MS:
            return  # a worker runs, and does one thing after the other
        for name, since in self._idle.items():
            if since < self.now - LONG_MS and not self._leases[name]:
                self.findings.append(findings.of_idle_work(name, waits_ms=self.now - since))

    def result(self) -> Audit:
        """Give what was found."""
        return Audit(
            now=self.now,
            findings=tuple(self.findings),
            campaigns=tuple(self._campaigns.values()),
            providers=self._providers,
            unknown_since=self._unknown_since,
            standings=self._standings,
            n_leases=self._leases.total(),
            oldest_due_at=min(self._idle.values(), default=None),
        )


# --- messages and requests


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What must hold of every message or request; the query finds those of which it does not."""

    code: str
    noun: str
    words: str  # goes after the ids
    broken: Select[int]
    step: str = BROKEN

    @property
    def looks_at(self) -> str:
        return f"{self.noun}s"


_IS_CURRENT = MESSAGES.c.submission_id == SUBMISSIONS.c.id
_IS_OPEN = SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN
_IS_SUBMITTING = MESSAGES.c.state == _M.SUBMITTING
_IS_OUT = MESSAGES.c.state.in_(sorted({_M.SUBMITTING, *PROVEN}))  # a report may come before the answer
_WAS_CURRENT = (  # until an earlier request was proven to have brought the message, while this one was out
    (MESSAGES.c.batch_id == SUBMISSIONS.c.batch_id)
    & (EARLIER_SUBMISSIONS.c.message_id == MESSAGES.c.id)
    & (EARLIER_SUBMISSIONS.c.submission_id == SUBMISSIONS.c.id)
)
_HAS_SUBMISSION = MESSAGES.c.submission_id.is_not(None)


def _rules() -> Iterator[_Rule]:
    yield _Rule(
        code="open_submission",
        noun="request",
        words="open, yet no message is being submitted with it",
        broken=_requests(
            _IS_OPEN,
            ~select(MESSAGES.c.id).where(_IS_CURRENT, _IS_OUT).exists(),
            ~select(MESSAGES.c.id).where(_WAS_CURRENT, _IS_OUT).exists(),
        ),
    )
    yield _Rule(
        code="closed_submitting",
        noun="message",
        words="being submitted, yet its request is not open",
        broken=_messages(_IS_SUBMITTING, ~select(SUBMISSIONS.c.id).where(_IS_CURRENT, _IS_OPEN).exists()),
    )
    yield _Rule(
        code="proven_unsent",
        noun="message",
        words="taken by the gateway, yet no request carried it",
        broken=_messages(MESSAGES.c.state.in_(sorted(PROVEN)), ~_HAS_SUBMISSION),
    )
    yield _Rule(
        code="submission_missing",
        noun="message",
        words="its request is not there",
        broken=_messages(_HAS_SUBMISSION, ~select(SUBMISSIONS.c.id).where(_IS_CURRENT).exists()),
    )
    yield _Rule(
        code="crowded_submission",
        noun="request",
        words="more messages point to it than it carried",
        broken=_crowded(),
    )
    yield _Rule(
        code="doubled",
        noun="message",
        words="accepted in two requests, or perhaps so",
        broken=_messages(MESSAGES.c.is_doubled, ~_was_resent()),
        step="`bulksend message show ID` shows the requests; the recipient may have it twice",
    )


def _messages(*conditions: ColumnElement[bool]) -> Select[int]:
    return select(MESSAGES.c.id).where(*conditions)


def _was_resent() -> ColumnElement[bool]:
    """Say, as SQL, that a person ordered the message to be sent again, knowing that it may come twice."""
    earlier = select(EARLIER_SUBMISSIONS.c.submission_id).where(
        EARLIER_SUBMISSIONS.c.message_id == MESSAGES.c.id
    )
    carried = (SUBMISSIONS.c.id == MESSAGES.c.submission_id) | SUBMISSIONS.c.id.in_(earlier)
    return select(SUBMISSIONS.c.id).where(SUBMISSIONS.c.code == RESENT, carried).exists()


def _requests(*conditions: ColumnElement[bool]) -> Select[int]:
    return select(SUBMISSIONS.c.id).where(*conditions)


def _crowded() -> Select[int]:
    pointing = (
        select(MESSAGES.c.submission_id, func.count().label("n"))
        .where(_HAS_SUBMISSION)
        .group_by(MESSAGES.c.submission_id)
        .subquery()
    )
    query = _requests(pointing.c.n > SUBMISSIONS.c.n_messages)
    return query.join(pointing, pointing.c.submission_id == SUBMISSIONS.c.id)


def _broken(connection: Connection, rule: _Rule) -> Iterator[Finding]:
    ids = list(connection.scalars(rule.broken.limit(_NAMED + 1)))
    if ids:
        named = ", ".join(map(str, ids[:_NAMED])) + (" and more" if len(ids) > _NAMED else "")
        plural = "s" if len(ids) > 1 else ""
        yield findings.problem(rule.code, f"{rule.noun}{plural} {named}: {rule.words}", rule.step)


STEPS = 2 + len(list(_rules()))
"""So often ``audit`` says what it looks at."""
