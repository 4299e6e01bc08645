import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.receipts.replies import Reply, read
from worker.receipts.words import Wish, wish_of

STOPS = [
    "STOP",
    "stop",
    " Stop. ",
    '"STOP"',
    "STOPP",
    "UNSUBSCRIBE",
    "END",
    "QUIT",
    "CANCEL",
    "OPT OUT",
    "opt-out",
]
STOPS += [
    "AFMELD",
    "Avsluta",
    "ARRÊT",
    "ARRE\u0302T",
    "arret",
    "Baja",
    "STOP ACME",
    "Stop sending me this",
    "\uff33\uff34\uff2f\uff30",
]


@pytest.mark.parametrize("text", STOPS)
def test_a_stop_is_understood(text: str) -> None:
    assert wish_of(text) is Wish.STOP


@pytest.mark.parametrize("text", ["STOPALL", "stop all", "Stop-All!", "STOP ALLE"])
def test_a_stop_of_all_is_understood(text: str) -> None:
    assert wish_of(text) is Wish.STOP_ALL


@pytest.mark.parametrize("text", ["START", "start.", "UNSTOP", "Opt in", "TILMELD"])
def test_a_start_is_understood(text: str) -> None:
    assert wish_of(text) is Wish.START


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Thanks!",
        "Cancel my appointment",
        "At the end",
        "Please don't",
        "I start at 9",
        "unstoppable",
        "🛑",
    ],
)
def test_anything_else_is_no_wish(text: str) -> None:
    assert wish_of(text) is None


@given(st.text(max_size=300))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert wish_of(f"stop {text}") in {Wish.STOP, Wish.STOP_ALL}
    wish_of(text)


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        ("from=4520304050&text=STOP", "", b""),
        ("", "application/x-www-form-urlencoded", b"From=4520304050&Body=STOP&To=1234"),
        ("", "application/json", b'{"msisdn": 4520304050, "message": "STOP", "parts": [1]}'),
        ("", "", b'{"originator": "4520304050", "content": "STOP"}'),
        ("secret=x", "text/plain", b"phone=4520304050&msg=STOP&msg=no"),
    ],
)
def test_a_reply_is_read_however_it_is_posted(query: str, content_type: str, body: bytes) -> None:
    assert read(query=query, content_type=content_type, body=body) == Reply(number="4520304050", text="STOP")


@pytest.mark.parametrize(
    "body", [b"", b"text=STOP", b"from=4520304050", b"[1]", b'{"from": ', b"\xff\xfe", b"{" * 5000]
)
def test_what_names_no_number_or_no_text_is_no_reply(body: bytes) -> None:
    assert read(query="", content_type="application/json" if body[:1] in b"[{" else "", body=body) is None


@given(st.binary(max_size=200), st.text(max_size=50))
def test_no_call_is_too_odd_to_be_read(body: bytes, query: str) -> None:
    read(query=query, content_type="", body=body)
    read(query=query, content_type="application/json", body=body)


def test_a_reply_shows_neither_number_nor_text() -> None:
    shown = repr(Reply(number="4520304050", text="my secret"))

    assert "2030" not in shown
    assert "secret" not in shown
