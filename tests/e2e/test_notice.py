"""Somebody is told when a campaign is done."""

import json
import sys

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm
from tests.integration.test_noticing import Hook, hooked
from tests.sandbox.running import Sandbox

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")
PROGRAM = """
import os, subprocess, sys
campaign = os.environ["BULKSEND_CAMPAIGN"]
words = [sys.executable, "-m", "producer.cli", "campaign", "show", campaign, "--json"]
shown = subprocess.run(words, capture_output=True, check=True).stdout
open("told.json", "w").write(f"[{sys.stdin.read()}, {shown.decode()}]")
"""


def test_a_command_and_a_webhook_are_told_by_the_worker_that_send_brings_along(
    place: Place, gateway: Sandbox
) -> None:
    hook = Hook()
    place.write("tell.py", PROGRAM)
    place.write_numbers("members.csv", 3)
    place.environment["HOOK_SECRET"] = "of-the-hook"

    with hooked(hook):
        settings = (place.folder / "bulksend.toml").read_text()
        notice = f'command = "{sys.executable} tell.py"\nwebhook = "{hook.url}"\nsecret = "env:HOOK_SECRET"'
        place.write("bulksend.toml", f"{settings}\n[notice]\n{notice}\n")
        place.run(*ORDER)

    summary, shown = json.loads((place.folder / "told.json").read_text())
    ((headers, body),) = hook.came
    assert gateway.stats()["accepted"] == 3
    assert (summary["state"], summary["counts"]["accepted"]) == ("done", 3)
    assert shown["counts"] == summary["counts"]
    assert json.loads(body) == summary
    assert headers["Bulksend-Signature"].startswith("v1=")


@pytest.mark.parametrize(
    ("notice", "sentence"),
    [
        (
            'webhook = "https://example.org/done"',
            'notice: webhook and secret go together: add secret = "env:NAME"',
        ),
        ('webhook = "ftp://example.org"\nsecret = "env:X"', "notice.webhook: write where it is posted to"),
        ('command = "unclosed \'"', "notice.command: write a program with its arguments"),
        ('comand = "x"', "did you mean command?"),
    ],
)
def test_settings_that_make_no_notice_are_refused(
    lone_place: Place, warm: Warm, notice: str, sentence: str
) -> None:
    settings = (lone_place.folder / "bulksend.toml").read_text()
    lone_place.write("bulksend.toml", f"{settings}\n[notice]\n{notice}\n")

    done = warm.run(lone_place, "campaign", "list")

    assert done.code == 2
    assert sentence in done.err


def test_a_worker_does_not_start_without_the_secret_of_the_webhook(lone_place: Place) -> None:
    settings = (lone_place.folder / "bulksend.toml").read_text()
    notice = '[notice]\nwebhook = "https://example.org/done"\nsecret = "env:HOOK_SECRET"\n'
    lone_place.write("bulksend.toml", f"{settings}\n{notice}")

    done = lone_place.run("worker", code=2)

    assert "notice.secret: the environment variable HOOK_SECRET is missing or empty" in done.err
