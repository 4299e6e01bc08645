from worker.text import gsm7


def test_the_basic_table_has_128_positions_without_repetition() -> None:
    assert len(gsm7.BASIC_TABLE) == len(set(gsm7.BASIC_TABLE)) == 128


def test_ascii_capitals_digits_and_letters_keep_their_ascii_positions() -> None:
    kept = [char for char in gsm7.BASIC_TABLE if char.isascii() and char.isalnum()]

    assert all(gsm7.BASIC_TABLE.index(char) == ord(char) for char in kept)
    assert len(kept) == 62


def test_the_escape_is_no_character_of_a_text() -> None:
    assert gsm7.BASIC_TABLE[0x1B] == gsm7.ESCAPE
    assert gsm7.ESCAPE not in gsm7.BASIC


def test_only_the_capital_cedilla_is_in_the_table() -> None:
    assert gsm7.BASIC_TABLE[0x09] == "Ç"
    assert "ç" not in gsm7.BASIC


def test_the_tables_share_no_character() -> None:
    assert not gsm7.BASIC & gsm7.EXTENSION
