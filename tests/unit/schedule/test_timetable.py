from contextlib import closing

import pytest

from producer.schedule.timetable import Timetable
from worker.errors import ConfigError
from worker.ledger.drafts import NewMessage


def test_a_full_folder_for_temporary_files_is_named() -> None:
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

        with pytest.raises(ConfigError, match=r"for temporary files.* full") as caught:  # noqa: PT012 - buffered
            for _ in range(1000):
                timetable.add(message, units=1)

    assert "+45" not in str(caught.value)
