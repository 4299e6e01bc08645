"""Why a number is refused: a code for programs and a sentence that never shows the number."""

from typing import Final

from worker.errors import InputError

_SENTENCES: Final = {
    "number_empty": "there is no number",
    "number_not_a_number": "this is not a number",
    "number_letters": "there are letters in the number",
    "number_rounded": "the spreadsheet has rounded this number: format the column as text and enter it again",
    "number_two": "there are two numbers in this cell: give each a row of its own",
    "number_too_short": "the number has too few digits for {country}",
    "number_too_long": "the number has too many digits for {country}",
    "number_unknown_country": "no country has this country code",
    "number_invalid": "the number does not exist in the numbering plan of {country}",
    "number_not_mobile": "this is not a mobile",
    "number_premium": "this number costs whoever calls it more than a call",
    "number_emergency": "this is an emergency number",
    "number_short_code": "this is a short number of a service, not of a subscriber",
}
NO_COUNTRY: Final = "the number has no country code: write it with a plus, or give --country"


def refused(code: str, sentence: str | None = None, *, country: str = "its country") -> InputError:
    """Return the error to raise, with the sentence of its code unless another is given.

    ``country`` is the one whose plan was looked at: where it was not written, it may be the wrong one.
    """
    return InputError((sentence or _SENTENCES[code]).format(country=country), code=code)
