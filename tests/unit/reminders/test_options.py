import pytest

from producer.cli.remind import remind

ORDER = ["week.csv", "--text", "Hi", "--via", "acme", "--column", "at", "--before", "2h", "--key", "id"]


@pytest.mark.parametrize(
    ("given", "late"), [([], "skip"), (["--late", "hold"], "hold"), (["--late", "send"], "send")]
)
def test_late_is_written_as_it_is_kept_and_skips_unless_it_is_given(given: list[str], late: str) -> None:
    with remind.make_context("remind", [*ORDER, *given]) as context:
        assert context.params["late"] == late
