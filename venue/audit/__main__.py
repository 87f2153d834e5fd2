"""``python -m venue.audit``: the exchange's record against the journal; the exit status says whether all holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from venue.audit import MOST_SHOWN, Bounds, EvidenceError, audit, passed, report


def parser() -> argparse.ArgumentParser:
    """The command line."""
    defaults = Bounds()
    p = argparse.ArgumentParser(
        prog="python -m venue.audit",
        description="Check what really happened at the exchange against what the journal remembers. The system may be "
        "running, stopped or killed; nothing is written. Exit status: 0 all holds and all was looked at, 1 not so, 2 "
        "the evidence cannot be read.",
    )
    p.add_argument("--truth", type=Path, required=True, help="the record that the exchange wrote")
    p.add_argument("--journal", type=Path, required=True, help="directory with cell-0.db, cell-1.db, …")
    p.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    rest = p.add_mutually_exclusive_group()
    rest.add_argument("--at-rest", dest="at_rest", action="store_true", help="the run has ended: both sides are equal")
    rest.add_argument("--running", dest="at_rest", action="store_false", help="the journal may still be behind")
    p.add_argument("--allow-empty", default="", metavar="I5,I9", help="checks that may find no case in this run")
    p.add_argument("--bound-uncovered-s", type=float, default=defaults.uncovered_s, help="I6: exchange seconds")
    p.add_argument("--bound-unheard-s", type=float, default=defaults.unheard_s, help="I6: on top, after a bust")
    p.add_argument("--bound-uncovered-qty", type=int, default=defaults.uncovered_qty, help="I6: units")
    p.add_argument("--show", type=int, default=MOST_SHOWN, help="offenders and notes to print per check")
    p.set_defaults(at_rest=True)
    return p


def main(argv: list[str] | None = None) -> int:
    """Read the command line, check, and print; the exit status."""
    given = parser().parse_args(argv)
    try:
        findings = audit(
            given.truth,
            given.journal,
            at_rest=given.at_rest,
            allow_empty=[name for name in given.allow_empty.split(",") if name],
            bounds=Bounds(
                uncovered_s=given.bound_uncovered_s,
                unheard_s=given.bound_unheard_s,
                uncovered_qty=given.bound_uncovered_qty,
            ),
        )
    except (EvidenceError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if given.json:
        listed = [{**msgspec.to_builtins(finding), "status": finding.status} for finding in findings]
        answer = {"passed": passed(findings), "findings": listed}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(report(findings, given.show)) + "\n")
    return 0 if passed(findings) else 1


if __name__ == "__main__":
    sys.exit(main())
