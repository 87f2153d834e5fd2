"""The checks as one table, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from venue.audit import authority, books, controls, door, exposure, fold, knowledge, quantities, sends, stops, unshown
from venue.audit.evidence import Bounds, Evidence, Finding

Check = Callable[[Evidence, Bounds], Finding]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "I1": sends.every_send_has_an_earlier_intent,
        "I2": sends.every_order_has_an_intent,
        "I3": quantities.slots_are_never_overfilled,
        "I4": quantities.legs_never_exceed_their_target,
        "I5": quantities.hedges_never_exceed_what_is_needed,
        "I6": exposure.uncovered_shorts_are_brief_or_alerted,
        "I7": exposure.risk_works_under_filled_protection,
        "I8": stops.stops_match_positions,
        "I9": quantities.exits_never_exceed_what_was_opened,
        "I10": authority.halted_groups_only_reduce,
        "I11": fold.repeated_executions_change_nothing,
        "I12": books.the_journal_counts_what_filled,
        "I13": knowledge.knowledge_only_grows,
        "I14": knowledge.an_end_is_an_end,
        "I15": knowledge.doubt_ends_with_evidence,
        "I16": unshown.a_failed_commit_sends_nothing,
        "I17": authority.one_epoch_at_a_time,
        "I18": door.nothing_of_an_older_epoch_leaves,
        "I19": books.the_log_is_unbroken,
        "I20": fold.the_tables_are_the_log_folded,
        "I21": unshown.recovery_is_idempotent,
        "I22": authority.nothing_new_before_reconciled,
        "I23": fold.every_message_takes_effect_once,
        "I24": authority.restarts_are_bounded,
        "I25": controls.controls_hold_on_the_wire,
        "I26": door.after_kill_no_new_risk,
        "I27": stops.deadlines_act_once,
        "I28": unshown.an_unhealthy_journal_takes_no_new_risk,
        "I29": books.everything_is_explained,
        "I30": sends.every_order_is_its_intent,
        "OUTCOME": books.every_group_has_a_certified_outcome,
    }
)
