"""Invariants that no run's records can show: each says why, and which test shows it instead.  Never silently passed."""

from __future__ import annotations

from venue.audit.evidence import Bounds, Evidence, Finding


def a_failed_commit_sends_nothing(_evidence: Evidence, _: Bounds) -> Finding:
    """I16.  A journal cannot hold the commit that failed; that nothing left without a commit is I1."""
    return Finding(
        name="I16",
        title="a commit that errored sends nothing until it is read again",
        shown_by="a journal cannot hold a commit that failed (that nothing leaves without one is I1); shown by "
        "tests/actors/test_crashes.py and tests/storage/test_sqlite.py",
    )


def recovery_is_idempotent(_evidence: Evidence, _: Bounds) -> Finding:
    """I21.  One run recovers in one way; what another crash inside of it would have led to is not in its records.

    Two runs can be compared where everything but the crash is the same: the sweeps of power cuts do that.
    """
    return Finding(
        name="I21",
        title="recovery is idempotent under crashes inside recovery",
        shown_by="one run recovers in one way only; python -m simulation crashes --pairs compares two; shown by "
        "tests/simulation/test_crash_sweep.py and tests/actors/test_start_up.py",
    )


def an_unhealthy_journal_takes_no_new_risk(_evidence: Evidence, _: Bounds) -> Finding:
    """I28.  A journal that cannot be written cannot say so."""
    return Finding(
        name="I28",
        title="storage unhealthy: nothing risk-increasing",
        shown_by="a journal that cannot be written does not hold that it could not; shown by "
        "tests/decisions/test_gate.py, tests/storage/test_sqlite.py and tests/actors/test_trading_state.py",
    )
