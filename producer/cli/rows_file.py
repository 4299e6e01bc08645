"""The file of --rows: every message of a preview."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.preview import OnMessage
from producer.rows import message_rows
from producer.wording import Characters
from worker.errors import ConfigError
from worker.text.segments import Encoding


@contextmanager
def rows_into(
    target: Path | None, characters: Characters, *, may_replace: bool
) -> Iterator[OnMessage | None]:
    """Give what writes messages into the file, None where there is none.

    Raises:
        ConfigError: it cannot be written.
        InputError: there is something of that name already, which it is not to replace.
    """
    if target is None:
        yield None
        return
    udh_bits, is_ucs2 = characters.udh_bits, characters.encoding is Encoding.UCS_2
    try:
        with message_rows(target, udh_bits=udh_bits, is_ucs2=is_ucs2, may_replace=may_replace) as rows:
            yield rows.add
    except BrokenPipeError:  # whoever reads it has seen enough
        raise
    except OSError as error:
        raise ConfigError(f"--rows {target}: {error.strerror}; name another file") from None
