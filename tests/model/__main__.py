"""Print what the searches find: which scenes hold, and the shortest way to harm without each protection."""

from __future__ import annotations

import sys
import textwrap

from tests.model.cases import PROTECTIONS, REDUNDANT, SCENES, Protection
from tests.model.search import Finding, search


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _say_scene(name: str, finding: Finding) -> None:
    _say(f"{name:38} {finding.n_states:7} states {finding.cpu_s:6.1f} s  {finding.broken or 'holds'}")
    _say_path(finding)


def _say_protection(protection: Protection, finding: Finding) -> None:
    verdict = f"breaks: {finding.broken}" if finding.broken else "holds"
    _say(f"{protection.name} ({protection.rule}), in {protection.scene}: {verdict}")
    _say_path(finding)


def _say_path(finding: Finding) -> None:
    if finding.path:
        _say(textwrap.fill("; ".join(finding.path), 110, initial_indent="    ", subsequent_indent="    "))


def main() -> int:
    """Search everything; return 1 when something is not as it should be."""
    is_well = True
    _say("Every protection on:")
    for scene in SCENES:
        finding = search(scene)
        is_well &= finding.broken is None
        _say_scene(scene.name, finding)
    _say("\nOne protection off, and the law that it keeps:")
    for protection in PROTECTIONS:
        finding = search(protection.without(), laws=[protection.breaks])
        is_well &= finding.broken is not None
        _say_protection(protection, finding)
    _say("\nOne protection off where another one does its work:")
    for protection in REDUNDANT:
        finding = search(protection.without())
        is_well &= finding.broken is None
        _say_protection(protection, finding)
    return 0 if is_well else 1


sys.exit(main())
