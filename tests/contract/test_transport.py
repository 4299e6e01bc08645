"""Every adapter's requests through the HTTP door, to servers that answer badly or not at all."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contract import servers
from tests.contract.cases import ANNA, HOST, TEXT, Contract
from tests.contract.contracts import CONTRACTS, each_contract
from tests.contract.servers import serving
from tests.contract.test_http import WRITTEN_BUT_UNANSWERED, Script, closed_port, everything_told
from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import HttpRequest
from worker.gateways.http import Client

SILENT = {"no answer", "dripping head", "dripping body of known length", "dripping body of unknown length"}

each_request = pytest.mark.parametrize(
    ("contract", "kind"),
    [pytest.param(c, kind, id=f"{c.id}: {kind}") for c in CONTRACTS for kind in c.requests],
)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=1, timeout_s=0.3, ca_file=servers.CERTIFICATE)
    yield client
    client.close()


def at(contract: Contract, url: str, *, kind: str = "send") -> HttpRequest:
    request = contract.requests[kind]
    return replace(request, url=request.url.replace(HOST, url, 1))


def hidden(contract: Contract) -> tuple[str, ...]:
    return (*contract.secrets, ANNA[1:], TEXT)


@each_contract
@pytest.mark.parametrize("case", ["refused", "no such name"])
def test_submission_to_nowhere_is_not_sent(contract: Contract, client: Client, case: str) -> None:
    url = f"http://127.0.0.1:{closed_port()}" if case == "refused" else f"http://{'a' * 64}.example"
    with pytest.raises(NotSent) as raised:
        client.exchange(at(contract, url))

    assert not any(each in everything_told(raised.value) for each in hidden(contract))


@each_contract
@pytest.mark.parametrize("script", [servers.silent, servers.reset_handshake])
def test_submission_that_finds_no_tls_is_not_sent(contract: Contract, client: Client, script: Script) -> None:
    with serving(script) as server, pytest.raises(NotSent) as raised:
        client.exchange(at(contract, server.url.replace("http:", "https:")))

    assert not any(each in everything_told(raised.value) for each in hidden(contract))


@each_contract
@pytest.mark.parametrize(
    "case", [case for case in WRITTEN_BUT_UNANSWERED if case not in SILENT] + ["no answer"]
)
def test_submission_without_a_readable_answer_is_unknown(
    contract: Contract, client: Client, case: str
) -> None:
    with serving(WRITTEN_BUT_UNANSWERED[case]) as server, pytest.raises(OutcomeUnknown) as raised:
        client.exchange(at(contract, server.url))

    assert not any(each in everything_told(raised.value) for each in hidden(contract))


@each_request
def test_request_arrives_once_and_as_it_was_written(contract: Contract, client: Client, kind: str) -> None:
    with serving(servers.answer_once(servers.GOOD)) as server:
        request = at(contract, server.url, kind=kind)
        client.exchange(request)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert len(server.requests) == 1
    assert body == request.body
    line, *headers = head.decode().split("\r\n")
    assert line == f"{request.method} {request.url.removeprefix(server.url)} HTTP/1.1"
    assert {f"{name}: {value}" for name, value in request.headers.items()} <= set(headers)


@each_request
def test_nothing_is_logged_and_no_error_tells_what_a_request_hides(
    contract: Contract, client: Client, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(servers.reset) as server, pytest.raises(OutcomeUnknown) as unknown:
        client.exchange(at(contract, server.url, kind=kind))
    with pytest.raises(NotSent) as not_sent:
        client.exchange(at(contract, f"http://127.0.0.1:{closed_port()}", kind=kind))

    told = everything_told(unknown.value) + everything_told(not_sent.value)
    assert not any(each in told for each in hidden(contract))
    assert caplog.records == []
