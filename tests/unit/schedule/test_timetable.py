from contextlib import closing

import pytest

from producer.schedule.timetable import Timetable
from worker.ledger.drafts import NewMessage


def test_a_full_disk_is_said_as_of_any_file() -> None:
    with closing(Timetable()) as timetable:
        timetable._database.execute("PRAGMA max_page_count = 20")  # noqa: SLF001 - a disk that is soon full
        message = NewMessage(
            line=2,
            msisdn="+4520304050",
            region="DK",
            text="x" * 10_000,
            encoding="gsm7",
            parts=1,
            price_micros=None,
            currency=None,
            due_at=0,
        )

        with pytest.raises(OSError, match="full") as caught:  # noqa: PT012 - some are buffered
            for _ in range(1000):
                timetable.add(message, units=1)

    assert "+45" not in str(caught.value)
