"""What triggers a stop-loss: the broker's word, or our own eyes where the broker does not watch (S2, R1).

Our own eyes never act on garbage: a price counts only from a quote that has both sides, is not crossed, not stale and
not absurdly wide.  Without one the stop is blind, which triggers nothing; a person is told when it lasts.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.orders.working import Parent
from domain.execution import Side
from domain.groups import TriggerOn
from domain.money import PRICE_SCALE
from domain.quotes import Quote
from messages.records import Severity, StopRecord, StopStatus

LOOK_AGAIN_NS = MS  # at the next tick, whenever that comes


def judged_price(quote: Quote | None, on: TriggerOn, side: Side, moment: Moment) -> int | None:
    """The price that a position is judged by; ``side`` is that of the order that would close it.

    The mid; or the mark, which is what closing would cost now, as prudent valuation has it: the ask where a short is
    bought back, the bid where a long is sold (IAS 39, AG72).  ``None`` when the quote is too wide to mean anything.
    """
    if quote is None:
        return None
    config = moment.config.stop_loss
    widest = max(quote.mid * config.max_spread_pct / 100, config.max_spread_floor * PRICE_SCALE)
    if quote.ask - quote.bid > widest:
        return None
    if on is TriggerOn.MARK:
        return quote.ask if side is Side.BUY else quote.bid
    return quote.mid


def watched_here(record: StopRecord, moment: Moment) -> bool:
    """Whether we watch the price: asked to, the broker cannot, or its stop has been missing for too long (R3)."""
    missing = record.unprotected_ns and moment.at_ns >= bound_ns(record, moment)
    return record.trigger_on is not TriggerOn.LAST or not moment.server_stops or bool(missing)


def at_broker(record: StopRecord, moment: Moment) -> bool:
    """Whether the broker is to hold the stop."""
    return record.trigger_on is TriggerOn.LAST and moment.server_stops


def bound_ns(record: StopRecord, moment: Moment) -> int:
    """When a position without its stop has been so for too long."""
    return record.unprotected_ns + moment.config.stop_loss.max_unprotected_ms * MS


def look(record: StopRecord, limit: Parent, moment: Moment, effects: Effects) -> StopRecord:
    """Whether the stop has triggered: that starts the clock of its fallback, once."""
    if record.status is not StopStatus.ARMED or not record.quantity:
        return replace(record, blind_ns=0) if record.blind_ns else record
    triggered = limit.filled > 0 or any(order.state.triggered for order in limit.orders.values())
    if not triggered and moment.may_send and watched_here(record, moment):
        record, triggered = _watch(record, moment, effects)
    if triggered:
        return replace(record, status=StopStatus.TRIGGERED, triggered_ns=moment.at_ns, blind_ns=0)
    return record


def _watch(record: StopRecord, moment: Moment, effects: Effects) -> tuple[StopRecord, bool]:
    """Compare the price with the trigger, and see to it that somebody does so at the next tick too."""
    effects.wake(moment.at_ns + LOOK_AGAIN_NS)
    price = judged_price(moment.quote(record.symbol), record.trigger_on, record.side, moment)
    if price is not None:
        reached = (price - record.trigger_price) * record.side.sign >= 0
        if reached:
            effects.acted("S2")
        return replace(record, blind_ns=0), reached
    record = replace(record, blind_ns=record.blind_ns or moment.at_ns)
    if moment.at_ns >= record.blind_ns + moment.config.stop_loss.blind_ms * MS:
        effects.alert(
            moment,
            Severity.CRITICAL,
            "STOP_BLIND",
            f"the stop-loss on {record.symbol} is watched here, and there is no quote to judge by for "
            f"{moment.config.stop_loss.blind_ms / 1000:g} s: watch it by hand, or close the group",
            group_id=record.group_id,
            symbol=record.symbol,
            quantity=record.quantity,
            subject=f"{record.stop_id}/{record.blind_ns}",
        )
    return record, False
