"""Limits on what all groups together may do: a person is called when one is first exceeded, not as long as it is."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from decisions.effects import Effects, Moment
from domain.rollout import is_first_cell
from messages.group import GroupSettled
from messages.market import Funds
from messages.records import Severity


class Thresholds(msgspec.Struct, frozen=True):
    """Which limits are exceeded at present."""

    exposure: bool = False
    margin: bool = False


def watch_exposure(
    state: Thresholds, total: int, settled: GroupSettled, moment: Moment, effects: Effects
) -> Thresholds:
    """``total`` short units of all groups of the cell are uncovered since ``settled``, which the alert is about."""
    most = moment.config.alerts.exposure_units
    if total > most and not state.exposure:
        effects.alert(
            moment,
            Severity.CRITICAL,
            "UNHEDGED_EXPOSURE",
            f"{total} short units are uncovered, more than alerts.exposure_units = {most}; "
            f"{settled.uncovered_qty} of them in group {settled.group_id}",
            group_id=settled.group_id,
            quantity=total,
            subject=f"{moment.cell}/{moment.at_ns}",
        )
    return replace(state, exposure=total > most)


def watch_margin(state: Thresholds, funds: Funds, moment: Moment, effects: Effects) -> Thresholds:
    """The broker's account; all cells are told of it, and the first of its realm speaks."""
    use, most = margin_use(funds), moment.config.alerts.margin_use_pct
    exceeded = use * 100 > most
    if exceeded and not state.margin and is_first_cell(moment.cell):
        effects.alert(
            moment,
            Severity.CRITICAL,
            "MARGIN_USE",
            f"{use:.0%} of the account's funds are tied up by margin, more than alerts.margin_use_pct = {most:g}",
            subject=str(moment.at_ns),
        )
    return replace(state, margin=exceeded)


def margin_use(funds: Funds) -> float:
    """The share of all funds that margin ties up; 1 or more when nothing is free."""
    everything = funds.available + funds.used
    return funds.used / everything if everything > 0 else float(funds.used > 0)
