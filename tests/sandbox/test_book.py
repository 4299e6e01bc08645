import json

from worker.sandbox.book import Book


def test_what_is_shown_is_what_was_accepted_when_it_was_asked_for() -> None:
    book = Book("cpsms")
    accept(book, n=600)
    shown = book.lines()
    accept(book, n=600)  # fills a chunk, which empties what is not yet in one

    assert [json.loads(line)["msisdn"] for line in shown] == [f"+{number}" for number in range(600)]


def accept(book: Book, *, n: int) -> None:
    first = book.counts["accepted"]
    for number in range(first, first + n):
        book.accept(msisdn=f"+{number}", text="Hello", sender="ACME", reference="r1", parts=1)
