import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.timing.durations import duration_words, parse_duration

S, MIN, H, D = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("24h", 24 * H),
        ("90min", 90 * MIN),
        ("2d", 2 * D),
        ("1h30min", 90 * MIN),
        ("45s", 45 * S),
        (" 1 H 30 Min ", 90 * MIN),
        ("2 days 3 hours", 2 * D + 3 * H),
        ("1 week", 7 * D),
        ("731d", 731 * D),
    ],
)
def test_a_length_of_time_is_read(written: str, ms: int) -> None:
    assert parse_duration(written) == ms


@pytest.mark.parametrize(
    "written",
    [
        "",
        "24",
        "h",
        "5m",  # minutes or months
        "1.5h",
        "-2h",
        "30min1h",
        "1h 2h",
        "0s",
        "732d",
        "999999999d",
        "1234567890s",
        "2h!",
        "2h,",
        "\N{ARABIC-INDIC DIGIT TWO}h",
    ],
)
def test_what_is_no_length_of_time_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ConfigError, match="like 24h"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 s"),
        (250, "250 ms"),
        (1_499, "1 s"),
        (45 * S, "45 s"),
        (90 * MIN, "1 h 30 min"),
        (D, "1 day"),
        (2 * D + 3 * H, "2 days 3 h"),
        (14 * D, "14 days"),
    ],
)
def test_a_length_of_time_is_written(ms: int, words: str) -> None:
    assert duration_words(ms) == words


@given(st.integers(1, 731 * 86_400))
def test_what_was_written_is_read_as_the_same(seconds: int) -> None:
    assert parse_duration(duration_words(seconds * S)) == seconds * S
