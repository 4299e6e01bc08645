"""The scenes that are searched, and the protections that are switched off, with the law that then breaks.

The whole product explodes, so that each scene has a few features; a protection is shown in the smallest scene
that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.model.laws import CONVERGES
from tests.model.world import Budget, Scene

SCENES = (
    Scene(name="one crash", budget=Budget(crashes=1)),
    Scene(name="crashes", budget=Budget(crashes=1, freezes=1), n_requests=3, n_leases=3),
    Scene(name="two messages", budget=Budget(crashes=1), n_messages=2),
    Scene(name="lost commits", budget=Budget(crashes=1, lost_commits=1), n_requests=3),
    Scene(name="spool", budget=Budget(crashes=1), features=frozenset({"spool"}), n_requests=3, n_attempts=3),
    Scene(
        name="frozen workers",
        budget=Budget(crashes=1, freezes=1),
        features=frozenset({"settling"}),
        n_requests=3,
    ),
    Scene(
        name="look-ups",
        budget=Budget(crashes=1, slips=1, detours=1),
        features=frozenset({"settling", "receipts"}),
    ),
    Scene(name="times that end", budget=Budget(crashes=1, ends=1), n_messages=2, n_requests=2),
    Scene(name="control", budget=Budget(crashes=1, pauses=1, cancels=1, holds=1)),
    Scene(
        name="operator",
        budget=Budget(crashes=1, orders=2),
        features=frozenset({"receipts", "refusals"}),
    ),
    Scene(
        name="operator and cancel",
        budget=Budget(crashes=1, orders=1, cancels=1),
        features=frozenset({"receipts"}),
    ),
    Scene(name="splitting", features=frozenset({"groups"}), n_messages=2, n_workers=1, n_requests=3),
    Scene(
        name="partial answers",
        budget=Budget(orders=2),
        features=frozenset({"groups"}),
        n_messages=2,
        n_workers=1,
    ),
    Scene(
        name="partial answers and failover",
        budget=Budget(orders=1, holds=1),
        features=frozenset({"groups", "failover"}),
        n_messages=2,
        n_workers=1,
        n_leases=1,
    ),
    Scene(
        name="failover",
        budget=Budget(crashes=1, holds=1),
        features=frozenset({"failover"}),
        n_workers=1,
        n_requests=3,
    ),
    Scene(
        name="failover after a resend",
        budget=Budget(holds=1, orders=1),
        features=frozenset({"failover", "receipts"}),
    ),
    Scene(
        name="failover by rows",
        budget=Budget(holds=1),
        features=frozenset({"failover", "settling"}),
    ),
    Scene(name="failover and cancel", budget=Budget(holds=1, cancels=1), features=frozenset({"failover"})),
    Scene(
        name="whole batches fail over",
        budget=Budget(crashes=1, holds=1),
        features=frozenset({"failover", "whole"}),
    ),
    Scene(
        name="look-ups after a batch failed over",
        budget=Budget(holds=1),
        features=frozenset({"failover", "settling", "whole"}),
        n_messages=2,
        n_workers=1,
    ),
)
_BY_NAME = {scene.name: scene for scene in SCENES}


@dataclass(frozen=True, kw_only=True)
class Protection:
    """One protection, what it is, and the scene and the law that show what it is for."""

    name: str
    rule: str
    scene: str
    breaks: str

    def without(self) -> Scene:
        """Return the scene with the protection switched off."""
        return replace(_BY_NAME[self.scene], off=frozenset({self.name}))


def _p(name: str, scene: str, breaks: str, rule: str) -> Protection:
    return Protection(name=name, rule=rule, scene=scene, breaks=breaks)


REDUNDANT = (
    _p("lease_time", "crashes", "", "a mark under a lease that has run out and was not swept renews it"),
    _p("fence", "failover by rows", "", "rows guard themselves as long as a batch keeps its account"),
    _p("ask_sender", "failover by rows", "", "a row that is unknown never changes its batch"),
    _p("hand_over_open", "failover by rows", "", "a row that was handed over is in no batch of the worker's"),
)
"""Protections that no law needs where they stand here: switched off, the model still holds."""

PROTECTIONS = (
    _p("write_ahead", "crashes", "sent once", "a message is marked before it is written"),
    _p("row_check", "crashes", "sent once", "a mark takes only rows that say QUEUED"),
    _p("row_check", "times that end", "obeyed", "what was given up is not sent after all"),
    _p("late_open", "times that end", CONVERGES, "others give up messages of an open batch only"),
    _p("row_batch", "failover", CONVERGES, "a mark takes only rows of its own batch"),
    _p("lease_check", "one crash", CONVERGES, "a mark needs the lease"),
    _p("fence", "whole batches fail over", "obeyed", "a lease is known by its fence"),
    _p("control_lock", "control", "obeyed", "a mark looks and writes under the control lock"),
    _p("control_lock", "one crash", CONVERGES, "a sweep takes the control lock alone"),
    _p("campaign_check", "control", "obeyed", "a mark looks at the campaign"),
    _p("account_check", "control", "obeyed", "a mark looks at the account"),
    _p("write_by", "frozen workers", "sent once", "nothing is written long after its mark"),
    _p("unknown", "crashes", "sent once", "no readable answer means UNKNOWN"),
    _p("unknown", "one crash", "not denied", "what may be with the gateway is not shown as queued"),
    _p("current", "frozen workers", "sent once", "only the current submission frees a message"),
    _p("from_anybody", "crashes", "answer kept", "outcomes count whoever has the lease"),
    _p("release", "one crash", CONVERGES, "a batch is released when no row is SUBMITTING"),
    _p("sweep_unknown", "crashes", "sent once", "a sweep turns SUBMITTING rows UNKNOWN"),
    _p("reopen", "crashes", "not stranded", "a way back to QUEUED reopens the batch"),
    _p("attempts", "crashes", "limited", "attempts are limited"),
    _p("by_reference", "lost commits", "sent once", "a doubtful mark is taken back by its reference"),
    _p("commit_known", "lost commits", "sent once", "a doubtful mark is not acted upon"),
    _p("spool_key", "spool", "sent once", "the spool names the submission"),
    _p("quarantine", "frozen workers", "sent once", "a look-up counts after the quarantine"),
    _p("twice", "look-ups", "sent once", 'one "never received" is not enough'),
    _p("witness", "look-ups", "sent once", "a look-up counts if it finds what is known"),
    _p(
        "ask_sender",
        "look-ups after a batch failed over",
        "sent once",
        "the gateway is asked that had the request",
    ),
    _p("proof", "operator", "answer kept", "proof of acceptance counts in any state"),
    _p("alarm_late", "operator", "alarmed", "a second proof alarms after the first one too"),
    _p("retry_certain", "operator", "sent once", "a retry passes over what may have been accepted"),
    _p("doubt_by_message", "partial answers", "sent once", "doubt is looked up by message, not by request"),
    _p(
        "doubt_by_message",
        "partial answers and failover",
        "certain hop",
        "what a partial answer left out does not fail over",
    ),
    _p("cancelled", "control", "cancelled for good", "in a cancelled campaign a way back ends in CANCELLED"),
    _p("judge_lock", "control", "cancelled for good", "the campaign is locked while an outcome is judged"),
    _p("group_limit", "splitting", "split once", "the limit of a split is kept"),
    _p("hop_certain", "failover", "certain hop", "what may have been accepted does not fail over"),
    _p("one_hop", "failover", "one hop", "there is one hop"),
    _p("hand_over_open", "whole batches fail over", "obeyed", "only an open batch is handed over whole"),
)
