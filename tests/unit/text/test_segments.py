"""Vectors are counted by hand from 3GPP TS 23.038 and 23.040, never taken from the code."""

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import InputError
from worker.text import clusters, gsm7
from worker.text.segments import CHOICES, CONCATENATED, SINGLE, Encoding, costly, measure, segment

BASIC = "".join(sorted(gsm7.BASIC))
EXTENSION = "".join(sorted(gsm7.EXTENSION))

FAMILY = "👨\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧\N{ZERO WIDTH JOINER}👦"  # 11 units
FLAG = "🇩🇰"  # 4 units
ACCENTED = "ж\N{COMBINING ACUTE ACCENT}"  # 2 units

gsm_texts = st.text(st.sampled_from(BASIC + EXTENSION * 8), max_size=700)
#: Runs of one character bring texts close to the limits far more often than single characters do.
near_limits = st.lists(
    st.tuples(st.sampled_from([*"aé€^жç🎉👍\n", "\r\n", FAMILY, FLAG, ACCENTED]), st.integers(1, 160)).map(
        lambda run: run[0] * run[1]
    ),
    max_size=6,
).map("".join)
of_clusters = st.lists(
    st.sampled_from([*"aж€🎉", "\r\n", FAMILY, FLAG, ACCENTED, "각", "क्षि"]), max_size=260
).map("".join)
texts = st.one_of(st.text(max_size=400), gsm_texts, near_limits, of_clusters)


def units_of(text: str, encoding: Encoding) -> int:
    if encoding is Encoding.UCS_2:
        return len(text.encode("utf-16-be")) // 2
    return sum(2 if char in gsm7.EXTENSION else 1 for char in text)


def n_greedy(text: str, encoding: Encoding, limit: int) -> int:
    n = used = 0
    for char in text:
        cost = units_of(char, encoding)
        n, used = (n + 1, cost) if not n or used + cost > limit else (n, used + cost)
    return n


@pytest.mark.parametrize(
    ("text", "units", "lengths"),
    [
        ("", 0, [0]),
        ("a" * 152, 152, [152]),
        ("a" * 153, 153, [153]),
        ("a" * 154, 154, [154]),
        ("a" * 159, 159, [159]),
        ("a" * 160, 160, [160]),
        ("a" * 161, 161, [153, 8]),
        ("a" * 305, 305, [153, 152]),
        ("a" * 306, 306, [153, 153]),
        ("a" * 307, 307, [153, 153, 1]),
        ("a" * 158 + "€", 160, [159]),
        ("a" * 159 + "€", 161, [153, 7]),
        ("€" * 80, 160, [80]),
        ("€" * 81, 162, [76, 5]),
        # The pair would take septets 153 and 154: it goes to the second part as a whole.
        ("a" * 152 + "€" + "a" * 7, 161, [152, 8]),
        ("a" * 151 + "€" + "a" * 8, 161, [152, 8]),
        # 306 septets need three parts, because septet 153 of the first stays empty.
        ("a" * 152 + "€" + "a" * 152, 306, [152, 152, 1]),
        ("a" * 151 + "€" + "a" * 153, 306, [152, 153]),
        ("a" * 304 + "€", 306, [153, 152]),
        ("a" * 305 + "€", 307, [153, 152, 1]),
        ("\f" + "a" * 158, 160, [159]),
    ],
)
def test_gsm_texts_are_cut_into_160_and_153_septets(text: str, units: int, lengths: list[int]) -> None:
    cut = segment(text)

    assert (cut.encoding, cut.units) == (Encoding.GSM_7, units)
    assert [len(part) for part in cut.parts] == lengths


@pytest.mark.parametrize(
    ("text", "units", "lengths"),
    [
        ("ж" * 66, 66, [66]),
        ("ж" * 67, 67, [67]),
        ("ж" * 68, 68, [68]),
        ("ж" * 69, 69, [69]),
        ("ж" * 70, 70, [70]),
        ("ж" * 71, 71, [67, 4]),
        ("ж" * 134, 134, [67, 67]),
        ("ж" * 135, 135, [67, 67, 1]),
        ("ж" * 68 + "🎉", 70, [69]),
        ("ж" * 69 + "🎉", 71, [67, 3]),
        ("🎉" * 35, 70, [35]),
        ("🎉" * 36, 72, [33, 3]),
        # The surrogates would be units 67 and 68: both go to the second part.
        ("ж" * 66 + "🎉" + "ж" * 3, 71, [66, 4]),
        ("ж" * 65 + "🎉" + "ж" * 4, 71, [66, 4]),
        ("ж" * 66 + "🎉" + "ж" * 66, 134, [66, 66, 1]),
        ("ж" * 132 + "🎉", 134, [67, 66]),
        ("ж" * 133 + "🎉", 135, [67, 66, 1]),
        # An extension character counts once where every character has 16 bits.
        ("ж" + "€" * 69, 70, [70]),
        ("garçon", 6, [6]),
        ("tab\t", 4, [4]),
        ("\x1b", 1, [1]),
    ],
)
def test_other_texts_are_cut_into_70_and_67_units(text: str, units: int, lengths: list[int]) -> None:
    cut = segment(text)

    assert (cut.encoding, cut.units) == (Encoding.UCS_2, units)
    assert [len(part) for part in cut.parts] == lengths


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [152, 9]),
        ("a" * 304, [152, 152]),
        ("a" * 305, [152, 152, 1]),
        ("a" * 151 + "€" + "a" * 8, [151, 9]),
        ("ж" * 70, [70]),
        ("ж" * 71, [66, 5]),
        ("ж" * 132, [66, 66]),
        ("ж" * 133, [66, 66, 1]),
        ("a" * 303 + "€", [152, 151, 1]),
        ("a" * 302 + "€", [152, 151]),
        ("ж" * 65 + "🎉" + "ж" * 4, [65, 5]),
    ],
)
def test_a_wide_reference_leaves_152_septets_or_66_units(text: str, lengths: list[int]) -> None:
    cut = segment(text, udh_bits=16)

    assert [len(part) for part in cut.parts] == lengths


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("ж" * 66 + FLAG + "ж", [66, 3]),
        ("ж" * 64 + FLAG + "ж" * 3, [64, 5]),
        ("ж" * 63 + FLAG + "ж" * 4, [65, 4]),
        ("ж" * 66 + ACCENTED + "ж" * 3, [66, 5]),
        ("ж" * 60 + FAMILY, [60, 7]),
        ("ж" * 56 + FAMILY + "ж" * 4, [63, 4]),
        ("ж" * 66 + "e\N{COMBINING ACUTE ACCENT}\N{COMBINING CEDILLA}" + "ж" * 2, [66, 5]),
        ("ж" * 66 + "क्षिж", [66, 5]),
        ("ж" * 66 + "1\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}жж", [66, 5]),
        ("ж" * 66 + "👍🏽ж", [66, 3]),
        ("ж" * 66 + "\r\n" + "ж" * 3, [66, 5]),
        ("a" * 152 + "\r\n" + "a" * 7, [152, 9]),
        ("a" * 151 + "\r\n" + "a" * 8, [153, 8]),
        # Two parts hold 134 units, if the flag is divided: nobody pays a third part for it.
        ("ж" * 65 + FLAG + "ж" * 65, [66, 66]),
        # The first cut leaves room for the second.
        ("ж" * 65 + ACCENTED + "ж" * 65 + ACCENTED + "ж" * 3, [67, 67, 3]),
        ("ж" * 66 + ACCENTED + "ж" * 64 + ACCENTED + "ж" * 3, [66, 66, 5]),
        # What fits into no part is divided where a part is full.
        ("ж" + "\N{COMBINING ACUTE ACCENT}" * 99, [67, 33]),
        ("жж" + "\N{COMBINING ACUTE ACCENT}" * 99, [67, 34]),
    ],
)
def test_what_a_reader_takes_for_one_character_stays_in_one_part(text: str, lengths: list[int]) -> None:
    cut = segment(text)

    assert [len(part) for part in cut.parts] == lengths


@pytest.mark.parametrize(
    ("text", "n_parts"),
    [("a" * 70, 1), ("a" * 71, 2), ("a" * 134, 2), ("a" * 135, 3), ("€" * 70, 1), ("", 1)],
)
def test_sixteen_bits_can_be_asked_for(text: str, n_parts: int) -> None:
    cut = segment(text, encoding=CHOICES["ucs2"])

    assert (cut.encoding, cut.units, len(cut.parts)) == (Encoding.UCS_2, len(text), n_parts)


@pytest.mark.parametrize("text", ["", "a€[æ", "a" * 500])
def test_seven_bits_can_be_asked_for_where_they_hold_the_text(text: str) -> None:
    assert segment(text, encoding=CHOICES["gsm"]) == segment(text, encoding=CHOICES["auto"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("it\N{RIGHT SINGLE QUOTATION MARK}s", r"character 3 .* U\+2019 RIGHT SINGLE QUOTATION MARK"),
        ("ç", r"character 1 .* U\+00E7 LATIN SMALL LETTER C WITH CEDILLA"),
        ("æøå\n€🎉🎉", r"character 6 .* U\+1F389 PARTY POPPER"),
        ("\t", r"character 1 .* U\+0009 a character without a name"),
    ],
)
def test_what_seven_bits_do_not_hold_is_refused_by_name_and_position(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        segment(text, encoding=Encoding.GSM_7)

    assert refused.value.code == "text_not_gsm"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("plain æøå", []),
        ("5€ [5€]", ["€", "[", "]"]),
        ("l\N{EM DASH}été 🎉 5€ \N{EM DASH}", ["\N{EM DASH}", "🎉"]),
        ("ç", ["ç"]),
    ],
)
def test_costly_characters_are_listed_once_and_in_order(text: str, expected: list[str]) -> None:
    assert costly(text) == expected


@given(texts)
def test_parts_join_to_the_text(text: str) -> None:
    assert "".join(segment(text).parts) == text


@given(texts, st.sampled_from([8, 16]))
def test_no_part_is_above_its_limit_and_none_needlessly_empty(text: str, udh_bits: int) -> None:
    cut = segment(text, udh_bits=udh_bits)

    single, joined = (160, {8: 153, 16: 152}) if cut.encoding is Encoding.GSM_7 else (70, {8: 67, 16: 66})
    limit = single if len(cut.parts) == 1 else joined[udh_bits]
    assert all(units_of(part, cut.encoding) <= limit for part in cut.parts)
    assert all(cut.parts) or not text


@given(texts)
def test_units_are_those_of_the_whole_text_and_one_part_is_used_where_it_fits(text: str) -> None:
    cut = segment(text)

    assert cut.units == units_of(text, cut.encoding)
    assert (len(cut.parts) == 1) == (cut.units <= (160 if cut.encoding is Encoding.GSM_7 else 70))


@given(texts, st.sampled_from([8, 16]))
def test_a_part_is_closed_only_before_what_does_not_fit(text: str, udh_bits: int) -> None:
    cut = segment(text, udh_bits=udh_bits)

    limit, begins, start = CONCATENATED[udh_bits][cut.encoding], clusters.begins(text), 0
    for part in cut.parts[:-1]:
        start += len(part)
        following = text[start : next((n for n in range(start + 1, len(text)) if begins[n] == n), None)]
        assert units_of(part + following, cut.encoding) > limit or begins[start] != start


@given(texts, st.sampled_from([8, 16]))
def test_a_cluster_is_divided_only_where_it_would_cost_a_part_or_fits_into_none(
    text: str, udh_bits: int
) -> None:
    cut = segment(text, udh_bits=udh_bits)

    limit, begins, start = CONCATENATED[udh_bits][cut.encoding], clusters.begins(text), 0
    for n, part in enumerate(cut.parts[1:], start=1):
        begin, start = start, start + len(cut.parts[n - 1])
        if begins[start] not in (start, begin) and begins[start] > begin:
            assert n + n_greedy(text[begins[start] :], cut.encoding, limit) > len(cut.parts)
        assert part


@given(texts, st.sampled_from([8, 16]), st.sampled_from([None, Encoding.UCS_2]))
def test_what_is_measured_is_what_is_cut(text: str, udh_bits: int, encoding: Encoding | None) -> None:
    cut = segment(text, udh_bits=udh_bits, encoding=encoding)

    assert measure(text, udh_bits=udh_bits, encoding=encoding) == (cut.encoding, cut.units, len(cut.parts))


@given(texts, st.sampled_from([8, 16]), st.sampled_from([None, Encoding.UCS_2]))
def test_no_cluster_costs_a_part(text: str, udh_bits: int, encoding: Encoding | None) -> None:
    measured = measure(text, udh_bits=udh_bits, encoding=encoding)

    if measured.units > SINGLE[measured.encoding]:
        limit = CONCATENATED[udh_bits][measured.encoding]
        assert measured.n_parts == n_greedy(text, measured.encoding, limit)


@given(texts)
def test_seven_bits_are_used_exactly_where_the_alphabet_allows_it(text: str) -> None:
    assert (segment(text).encoding is Encoding.GSM_7) == (set(text) <= set(BASIC + EXTENSION))


@given(texts.filter(bool))
def test_an_independent_library_counts_the_same_parts(text: str) -> None:
    assert len(segment(text).parts) == measure(text).n_parts == len(smsutil.split(text).parts)
