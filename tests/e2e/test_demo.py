"""`bulksend demo` in an empty folder."""

from tests.e2e.place import Place
from tests.e2e.warm import Warm


def test_the_demo_succeeds_twice_and_leaves_one_folder(lone_place: Place) -> None:
    place = lone_place
    (place.folder / "bulksend.toml").unlink()

    first = place.run("demo", timeout_s=60)
    was_quiet, files = place.is_quiet(1), place.files()
    second = place.run("demo", timeout_s=60)

    for done in (first, second):
        assert "The simulator accepted 1150 messages; the ledger has the same 1150" in done.out
        assert "50 of 1250 rows are refused" in done.err
        assert "Traceback" not in done.out + done.err
    assert str(place.folder / "bulksend-demo") in first.out
    assert was_quiet
    assert place.is_quiet(1)
    assert {name.split("/")[0] for name in files} == {"bulksend-demo"}


def test_the_demo_refuses_a_folder_that_is_not_its_own(lone_place: Place, warm: Warm) -> None:
    (lone_place.folder / "bulksend-demo").mkdir()
    lone_place.write("bulksend-demo/diary.txt", "mine")

    done = warm.run(lone_place, "demo")

    assert done.code == 2
    assert "--folder" in done.err
    assert (lone_place.folder / "bulksend-demo" / "diary.txt").read_text() == "mine"
