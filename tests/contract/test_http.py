import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract import servers
from tests.contract.servers import GOOD, Server, serving
from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import HttpRequest
from worker.gateways.http import Client

Script = Callable[[Server, socket.socket], None]

SECRET = "s3cr3t-of-the-account"
DEADLINE_S = 0.5

WRITTEN_BUT_UNANSWERED: dict[str, Script] = {
    "accepted, then closed": servers.hang_up,
    "read, then closed": servers.answer_once(b""),
    "read, then reset": servers.reset,
    "no answer": servers.silent,
    "half a status line": servers.answer_once(b"HTTP/1.1 2"),
    "no status line": servers.answer_once(b"\r\n\r\n"),
    "not HTTP": servers.answer_once(b"220 mail.example ESMTP\r\n"),
    "cut body": servers.answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"),
    "cut chunk": servers.answer_once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n{}"),
    "cut before the last chunk": servers.answer_once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
    ),
    "dripping head": servers.drip(b"HTTP/1.1 200 OK\r\nX-Long: "),
    "dripping body of known length": servers.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
    "dripping body of unknown length": servers.drip(b"HTTP/1.1 200 OK\r\n\r\n"),
    "body too large": servers.answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n" + b"x" * 65537),
    "body much too large": servers.answer_once(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99999
    ),
    "body that inflates to no gzip": servers.answer_once(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    ),
}


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(connections=2, timeout_s=DEADLINE_S, ca_file=servers.CERTIFICATE)
    yield client
    client.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield pool


def post(url: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{url}/send?token={SECRET}",
        headers={"Authorization": f"Basic {SECRET}"},
        body=b'{"message": "%s"}' % SECRET.encode(),
    )


def everything_told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("script", WRITTEN_BUT_UNANSWERED.values(), ids=WRITTEN_BUT_UNANSWERED.keys())
def test_request_without_readable_answer_is_unknown_and_the_error_tells_no_secret(
    client: Client, script: Script
) -> None:
    with serving(script) as server, pytest.raises(OutcomeUnknown) as raised:
        client.exchange(post(server.url))

    assert SECRET not in everything_told(raised.value)
    assert raised.value.__context__ is None


def not_sent_urls() -> dict[str, str]:
    return {
        "refused": f"http://127.0.0.1:{closed_port()}",
        "no such name": f"http://{'a' * 64}.example",
        "no address": "http://:80",
        "no port": "http://127.0.0.1:port",
        "no scheme": "127.0.0.1",
        "a scheme nobody speaks": "gopher://127.0.0.1",
        "login in the address": f"http://user:{SECRET}@127.0.0.1:{closed_port()}",
        "letters that no address has": f"http://127.0.0.1:{closed_port()}/\u00e6\u0141",
    }


@pytest.mark.parametrize("case", not_sent_urls())
def test_address_that_cannot_be_reached_is_not_sent_and_the_error_tells_no_secret(
    client: Client, case: str
) -> None:
    with pytest.raises(NotSent) as raised:
        client.exchange(post(not_sent_urls()[case]))

    assert SECRET not in everything_told(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("script", [servers.silent, servers.reset_handshake, servers.hang_up])
def test_tls_handshake_that_fails_is_not_sent(client: Client, script: Script) -> None:
    with serving(script) as server, pytest.raises(NotSent):
        client.exchange(post(server.url.replace("http:", "https:")))


def test_server_that_speaks_no_tls_is_not_sent(client: Client) -> None:
    with serving(servers.answer_once(GOOD)) as server, pytest.raises(NotSent):
        client.exchange(post(server.url.replace("http:", "https:")))


def test_certificate_of_a_stranger_is_not_sent() -> None:
    client = Client(connections=1, timeout_s=5)

    with serving(servers.answer(GOOD), tls=True) as server, pytest.raises(NotSent, match="SSLError"):
        client.exchange(post(server.url))

    assert server.requests == []
    client.close()


def test_certificate_for_another_host_is_not_sent(client: Client) -> None:
    with serving(servers.answer(GOOD), tls=True) as server, pytest.raises(NotSent, match="SSLError"):
        client.exchange(post(server.url.replace("127.0.0.1", "localhost")))


def test_tls_carries_request_and_reply(client: Client) -> None:
    with serving(servers.answer(GOOD), tls=True) as server:
        reply = client.exchange(post(server.url))
        client.close()

    assert (reply.status, reply.body, len(server.requests)) == (200, b"{}", 1)


def test_drip_over_tls_ends_at_the_deadline(client: Client) -> None:
    with (
        serving(servers.drip(b"HTTP/1.1 200 OK\r\n\r\n"), tls=True) as server,
        pytest.raises(OutcomeUnknown, match="deadline"),
    ):
        client.exchange(post(server.url))


def test_full_backlog_is_not_sent(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(listener.getsockname())

        with pytest.raises(NotSent):
            client.exchange(post(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        for each in waiting:
            each.close()


def test_reply_has_status_lower_case_headers_and_whole_body(client: Client) -> None:
    with serving(servers.answer_once(GOOD)) as server:
        reply = client.exchange(post(server.url))

    assert (reply.status, reply.headers["x-mark"], reply.body) == (200, "yes", b"{}")


def test_chunked_reply_is_joined(client: Client) -> None:
    chunked = b"HTTP/1.1 207 Some\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with serving(servers.answer_once(chunked)) as server:
        reply = client.exchange(post(server.url))

    assert (reply.status, reply.body) == (207, b"{}")


def test_largest_allowed_body_is_read(client: Client) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536
    with serving(servers.answer_once(whole)) as server:
        reply = client.exchange(post(server.url))

    assert len(reply.body) == 65536


@pytest.mark.parametrize(("body_limit", "is_read"), [(99_999, True), (99_998, False)])
def test_longer_body_is_read_where_it_is_allowed(client: Client, body_limit: int, *, is_read: bool) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999
    with serving(servers.answer_once(long)) as server:
        try:
            reply = client.exchange(post(server.url), body_limit=body_limit)
        except OutcomeUnknown:
            n_read = None
        else:
            n_read = len(reply.body)

    assert n_read == (99_999 if is_read else None)


def test_request_is_written_whole_without_cookies_or_what_the_environment_holds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    cookie = GOOD.replace(b"X-Mark: yes", b"Set-Cookie: a=b")
    with serving(servers.answer(cookie)) as server:
        client.exchange(post(server.url))
        client.exchange(post(server.url))
        client.close()

    head, _, body = server.requests[1].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /send?token={SECRET} HTTP/1.1\r\n".encode())
    assert f"Authorization: Basic {SECRET}".encode() in head
    assert b"cookie" not in head.lower()
    assert body == b'{"message": "%s"}' % SECRET.encode()


def test_redirect_is_a_reply_and_not_followed(client: Client) -> None:
    redirect = b"HTTP/1.1 307 Over there\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with serving(servers.answer(redirect)) as server:
        reply = client.exchange(post(server.url))
        client.close()

    assert (reply.status, len(server.requests)) == (307, 1)


def test_unanswered_get_is_not_repeated(client: Client) -> None:
    with serving(servers.answer_once(b"")) as server, pytest.raises(OutcomeUnknown):
        client.exchange(HttpRequest(method="GET", url=server.url, headers={}))

    assert (server.n_connections, len(server.requests)) == (1, 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_refusal_is_a_reply_and_not_repeated(client: Client, status: int) -> None:
    refusal = b"HTTP/1.1 %d No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % status
    with serving(servers.answer(refusal)) as server:
        reply = client.exchange(post(server.url))
        client.close()

    assert (reply.status, len(server.requests)) == (status, 1)


@pytest.mark.parametrize(("idle_limit_s", "n_connections"), [(60.0, 1), (0.0, 2)])
def test_connection_is_used_again_until_it_was_idle_too_long(idle_limit_s: float, n_connections: int) -> None:
    client = Client(connections=1, timeout_s=5, idle_limit_s=idle_limit_s)
    with serving(servers.answer(GOOD)) as server:
        client.exchange(post(server.url))
        client.exchange(post(server.url))
        client.close()

    assert (server.n_connections, len(server.requests)) == (n_connections, 2)


@pytest.mark.parametrize("tls", [False, True])
def test_request_takes_the_connection_that_was_opened_for_it(
    client: Client, threads: ThreadPoolExecutor, *, tls: bool
) -> None:
    with serving(servers.answer(GOOD), tls=tls) as server:
        client.open(server.url, n=1, pool=threads)
        reply = client.exchange(post(server.url))
        client.close()

    assert (reply.status, server.n_connections) == (200, 1)


def test_as_many_connections_are_opened_as_are_missing(client: Client, threads: ThreadPoolExecutor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(3):
            client.open(url, n=2, pool=threads)
        accepted = [listener.accept()[0] for _ in range(2)]
        with pytest.raises(TimeoutError):
            listener.accept()
        for connection in accepted:
            connection.close()


def test_connection_that_cannot_be_opened_is_not_sent(client: Client, threads: ThreadPoolExecutor) -> None:
    with pytest.raises(NotSent) as refused:
        client.open(f"http://127.0.0.1:{closed_port()}/?token={SECRET}", n=2, pool=threads)

    assert SECRET not in everything_told(refused.value)


def test_host_that_hangs_is_waited_for_no_longer_than_is_said(
    client: Client, threads: ThreadPoolExecutor
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        with pytest.raises(NotSent):
            client.open(f"https://127.0.0.1:{silent.getsockname()[1]}", n=2, pool=threads, within_s=0.1)

    assert time.monotonic() - began_s < DEADLINE_S / 2


def test_connection_that_the_server_closed_while_idle_is_replaced(client: Client) -> None:
    with serving(servers.answer_once(GOOD)) as server:
        client.exchange(post(server.url))
        assert server.hung_up.wait(10)
        reply = client.exchange(post(server.url))

    assert (reply.status, server.n_connections) == (200, 2)


def test_kept_connection_that_dies_under_the_next_request_is_unknown(client: Client) -> None:
    def script(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(GOOD)
        server.read(connection)

    with serving(script) as server:
        client.exchange(post(server.url))
        with pytest.raises(OutcomeUnknown):
            client.exchange(post(server.url))

    assert (server.n_connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("case", ["accepted, then closed", "cut body", "body much too large"])
def test_connection_serves_again_after_a_failure(case: str) -> None:
    client = Client(connections=1, timeout_s=5)
    with serving(WRITTEN_BUT_UNANSWERED[case]) as server:
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                client.exchange(post(server.url))

    assert server.n_connections == 3
    client.close()


def test_before_write_runs_once_with_the_connection_open_and_nothing_written(client: Client) -> None:
    seen: list[tuple[int, int]] = []
    arrived = threading.Event()

    def script(server: Server, connection: socket.socket) -> None:
        arrived.set()
        servers.answer_once(GOOD)(server, connection)

    with serving(script) as server:

        def before_write() -> None:
            assert arrived.wait(10)
            seen.append((server.n_connections, len(server.requests)))

        client.exchange(post(server.url), before_write=before_write)

    assert seen == [(1, 0)]


def test_before_write_can_stop_the_request(client: Client) -> None:
    def too_late() -> None:
        message = "the slot was missed"
        raise NotSent(message, retry_after_s=3.0)

    with (
        serving(servers.answer(GOOD)) as server,
        pytest.raises(NotSent, match="the slot was missed") as raised,
    ):
        client.exchange(post(server.url), before_write=too_late)

    assert (raised.value.retry_after_s, server.requests) == (3.0, [])


def test_nothing_is_written_after_the_deadline_and_who_waits_for_a_connection_is_told() -> None:
    client = Client(connections=1, timeout_s=0.2)
    holding, release = threading.Event(), threading.Event()
    first: list[BaseException] = []

    def hold() -> None:
        holding.set()
        release.wait(10)

    with serving(servers.answer(GOOD)) as server:

        def exchange() -> None:
            with pytest.raises(NotSent) as raised:
                client.exchange(post(server.url), before_write=hold)
            first.append(raised.value)

        thread = threading.Thread(target=exchange)
        thread.start()
        assert holding.wait(10)
        with pytest.raises(NotSent, match="busy"):
            client.exchange(post(server.url))
        release.set()
        thread.join()

    assert "deadline" in str(first[0])
    assert server.requests == []
    client.close()


def test_library_logs_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    garbled = GOOD.replace(b"X-Mark: yes", b"no colon here")
    with serving(servers.answer_once(garbled)) as server:
        client.exchange(post(server.url))

    assert caplog.records == []


def test_many_threads_share_a_client() -> None:
    client = Client(connections=4, timeout_s=10)
    statuses: list[int] = []
    closing = GOOD.replace(b"X-Mark: yes", b"Connection: close")
    with serving(servers.answer_once(closing)) as server:

        def exchange() -> None:
            statuses.extend(client.exchange(post(server.url)).status for _ in range(5))

        threads = [threading.Thread(target=exchange) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200] * 40
    client.close()
