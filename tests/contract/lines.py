"""An adapter and its simulator, joined by a real client over a real socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.contract.cases import SENDER, TEXT, submission
from worker.clock import Stamp
from worker.errors import OutcomeUnknown
from worker.gateways import make_adapter
from worker.gateways.base import HttpReply, HttpRequest, Outcome, Question, Standing, Submission, Verdict
from worker.gateways.http import LOOKUP_BODY_LIMIT, Client
from worker.sandbox.app import GATEWAYS as SIMULATORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.sandbox.running import Sandbox
    from worker.gateways.base import Adapter

PREFIXES = {simulator.name: simulator.prefix for simulator in SIMULATORS}
PATIENT: Mapping[str, Mapping[str, object]] = {"cpsms": {"getlog_interval_s": 0}}  # so that tests need not be


@dataclass(kw_only=True)
class Line:
    """One account at one simulated gateway."""

    adapter: Adapter
    client: Client
    sandbox: Sandbox
    session: str | None = None

    def call(self, request: HttpRequest) -> HttpReply:
        """Exchange a request and its reply, after a login where the gateway wants one and there was none."""
        login = self.adapter.login
        if login is not None:
            self.session = self.session or self.begin()
            request = login.sign(request, session=str(self.session))
        return self.client.exchange(request, body_limit=LOOKUP_BODY_LIMIT)

    def begin(self) -> str | None:
        """Log in and return the session; None where the gateway has no login."""
        login = self.adapter.login
        if login is None:
            return None
        session = login.read(self.client.exchange(login.request()))
        assert isinstance(session, str), session
        return session

    def check(self) -> Standing:
        """Ask for the account; only for a gateway that can be asked so."""
        request = self.adapter.check()
        assert request is not None
        return self.adapter.read_check(self.call(request))

    def submit(self, *recipients: str, **changes: object) -> Mapping[str, Outcome]:
        """Send and read the answer."""
        asked = submission(*recipients, **changes)
        return self.adapter.read(asked, self.call(self.adapter.build(asked)))

    def is_silent(self, *recipients: str) -> bool:
        """Submit and say whether nobody can tell what became of it."""
        try:
            outcomes = self.submit(*recipients)
        except OutcomeUnknown:
            return True
        return {outcome.verdict for outcome in outcomes.values()} == {Verdict.AMBIGUOUS}

    def ask(self, *recipients: str, asked: Submission | None = None) -> Mapping[str, Outcome] | None:
        """Ask what became of a submission of now; None where the reply says nothing."""
        sent = asked or submission(*recipients)
        question = Question(
            reference=sent.reference,
            recipients=sent.recipients,
            sent_at_s=Stamp.now().wall,
            sender=SENDER,
            texts=tuple(sent.text or TEXT for _ in sent.recipients),
        )
        heard = self.adapter.hear([question], self.call(self.adapter.ask([question])))
        return None if heard is None else heard.get(sent.reference, {})

    def set_faults(self, **faults: object) -> None:
        """Set knobs of this gateway."""
        url = f"{self.sandbox.url}/_sandbox/faults"
        answer = self.sandbox.session.post(url, json={self.adapter.name: faults}, timeout=5)
        assert answer.ok, answer.text

    def accepted(self) -> list[dict[str, Any]]:
        """Return what the simulator accepted, oldest first."""
        return [line for line in self.sandbox.accepted() if line["gateway"] == self.adapter.name]

    def numbers(self) -> list[str]:
        """Return the numbers of what it accepted."""
        return [line["msisdn"] for line in self.accepted()]


def line_to(
    gateway: str, *, sandbox: Sandbox, client: Client, username: str = "acme", **dialect: str
) -> Line:
    """Join them."""
    base_url = f"{sandbox.url}{PREFIXES[gateway]}"
    adapter = make_adapter(gateway, base_url=base_url, username=username, secret="key", dialect=dialect)
    line = Line(adapter=adapter, client=client, sandbox=sandbox)
    line.set_faults(**PATIENT.get(gateway, {}))
    return line
