"""The independent check: what really happened at the exchange against what the journal remembers.

It knows nothing of the actors and shares no code with them: it reads the exchange's record and the SQLite files, and
takes from the rest of the project only the nouns of ``domain``.  Every check counts the cases that it looked at; one
that found nothing to look at has not passed.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from venue.audit.evidence import Bounds, Finding, load
from venue.audit.invariants import CHECKS
from venue.audit.journal import EvidenceError

__all__ = ["CHECKS", "Bounds", "EvidenceError", "Finding", "audit", "passed", "report"]

MOST_SHOWN = 5


def audit(
    truth: Path,
    journal: Path,
    *,
    at_rest: bool = True,
    allow_empty: Collection[str] = (),
    bounds: Bounds | None = None,
) -> list[Finding]:
    """Every check, on the record ``truth`` and all ``cell-<n>.db`` files of the directory ``journal``.

    ``at_rest``: the run has ended, and both sides must be equal; else the journal may still be behind.  ``allow_empty``
    names checks that may have found no case.  Nothing is written.  Raises :class:`EvidenceError` when either side
    cannot be read, ``ValueError`` for a name in ``allow_empty`` that is no check.
    """
    unknown = sorted(set(allow_empty) - CHECKS.keys())
    if unknown:
        raise ValueError(f"no check is called {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    evidence = load(truth, journal, at_rest=at_rest)
    found = [check(evidence, bounds or Bounds()) for check in CHECKS.values()]
    for finding in found:
        finding.may_be_empty = finding.name in allow_empty
        finding.groups = evidence.groups_of(finding.problems)
    return found


def passed(findings: Collection[Finding]) -> bool:
    """Whether everything holds, and everything was looked at."""
    return all(finding.passed for finding in findings)


def report(findings: Collection[Finding], most: int = MOST_SHOWN) -> list[str]:
    """The findings for a person: a line per check, at most ``most`` offenders and notes each, and the verdict."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.name:<8}{finding.status:<16}{finding.cases:>8} cases  {finding.title}")
        if finding.status == "not shown":
            lines.append(f"    not shown by these records: {finding.shown_by}")
        lines += (
            _first(finding.problems, most)
            + look_further(finding)
            + _first([f"note: {note}" for note in finding.notes], most)
        )
    bad = [finding.name for finding in findings if not finding.passed]
    verdict = f"FAIL: {', '.join(bad)}" if bad else "PASS"
    return [*lines, f"{verdict} ({len(findings)} checks, {sum(finding.cases for finding in findings)} cases)"]


def look_further(finding: Finding) -> list[str]:
    """How to see the whole story of the first group that breaks the rule; of the journal where no group is named."""
    if not finding.problems:
        return []
    what = f"explain {finding.groups[0]}" if finding.groups else "verify"
    return [f"    look further: run_system.py journal {what}"]


def _first(texts: list[str], most: int) -> list[str]:
    rest = len(texts) - most
    return [f"    {text}" for text in texts[:most]] + ([f"    … and {rest} more"] if rest > 0 else [])
