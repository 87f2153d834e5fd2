"""The gateway's eye on the account: repeated executions (E8), the day's loss (E11), uncovered units (E20)."""

from __future__ import annotations

from collections.abc import Iterable

from actors.control_log import ControlLog
from actors.fan_out import FanOut
from config.schema import ControlsConfig
from decisions.effects import MS
from decisions.gateway.account import Account, Fill
from decisions.gateway.loss import carried, result
from decisions.gateway.repeats import Repeats
from decisions.gateway.standing import LOSS
from domain.calendar import Calendar, Day
from domain.execution import ExecutionReport
from domain.instruments import Instrument
from domain.money import PRICE_SCALE, to_decimal
from messages.controls import ControlAlert
from messages.market import Funds
from messages.orders import Snapshot
from messages.records import ControlAction, Severity
from monitoring.measures import Measures

LOOK_NS = 1_000 * MS  # the loss is worked out this often
PATIENCE_NS = 5_000 * MS  # what is held and has no quote yet is not judged before


class AccountWatch:
    """What the account is, and what follows from it for new risk.  All of it is made anew from the broker's words.

    That something is stopped is told by its record (:mod:`actors.standing_alerts`).
    """

    def __init__(
        self, config: ControlsConfig, memory: ControlLog, cells: FanOut, measures: Measures, calendar: Calendar
    ) -> None:
        self.config, self.memory, self.cells, self.measures = config, memory, cells, measures
        self.account = Account(calendar)
        self.repeats = Repeats(config)
        self.disabled = False  # something was, since the gateway last looked: what works of it is to be canceled
        self._bare: dict[int, int] = {}  # uncovered units by cell
        self._bare_since_ns = 0
        self._known_ns = 0  # when the first snapshot came
        self._looked_ns = 0

    @property
    def held(self) -> frozenset[str]:
        """The symbols that are held: their quotes are needed."""
        return frozenset(symbol for symbol, quantity in self.account.positions.items() if quantity)

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """What can be traded."""
        self.account.learn(instruments)

    def take_funds(self, funds: Funds) -> None:
        """What the account holds in money."""
        self.account.take_funds(funds)

    def follow(self, report: ExecutionReport) -> None:
        """What the broker says of an order."""
        fill = self.account.follow(report)
        if fill is not None:
            self._count(fill)

    def load(self, snapshot: Snapshot, now_ns: int, lag_ns: int) -> None:
        """The broker's positions; fills that were missed count like all others (a restart forgets nothing)."""
        self._known_ns = self._known_ns or now_ns
        for fill in self.account.load(snapshot, now_ns, lag_ns):
            self._count(fill)

    def _count(self, fill: Fill) -> None:
        standing = self.memory.standing
        repeated = self.repeats.follow(fill, standing)
        if repeated is None or standing.disabled(repeated.subject):
            return
        window_s = self.config.repeat_window_ms / 1_000
        text = (
            f"{repeated.orders} parent orders {repeated.side.value} {repeated.symbol} traded within {window_s:g} s "
            f"(controls.repeat_limit = {self.config.repeat_limit})"
        )
        self.measures.add("control_actions_total", control="E8")
        if repeated.entry:
            self.disabled = True
            self.memory.note(repeated.subject, "E8", ControlAction.DISABLED, text, fill.ts_ns, symbol=repeated.symbol)
            return
        self.cells.announce(
            ControlAlert(
                severity=Severity.CRITICAL,
                kind="REPEATED_EXECUTION",
                text=f"{text}; they repair, so that nothing is stopped: look whether something goes round in circles",
                subject=f"{repeated.subject}/{fill.ts_ns}",
                symbol=repeated.symbol,
            )
        )

    # The day's loss

    def look(self, now_ns: int) -> None:
        """Work out the day's result now and then; beyond the limit the system only reduces for the rest of the day."""
        if not self.account.known or now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns, day = now_ns, self.account.day(now_ns)
        marks = self._marks(day, now_ns)
        max_age_ns = self.config.reference_max_age_ms * MS
        found = result(self.account, self.cells.quotes, marks, day, now_ns, max_age_ns)
        if found.blind and now_ns - self._known_ns < PATIENCE_NS:
            return
        self.measures.set("day_result", found.amount / PRICE_SCALE)
        limit = self.config.max_loss * PRICE_SCALE
        if limit and found.amount < -limit:
            self._stop(day, now_ns, found.amount, found.blind)

    def _marks(self, day: Day, now_ns: int) -> dict[str, int]:
        """The first price of the day of everything that was held when it began; journaled, so that it stays so."""
        marks = {}
        for symbol in carried(self.account, day):
            subject = f"mark/{symbol}"
            known = self.memory.standing.last(subject)
            quote = self.cells.quotes.get(symbol)
            if known is not None and known.at_ns in day:
                marks[symbol] = known.amount
            elif quote is not None and quote.usable:
                marks[symbol] = quote.mid
                text = f"first price of the day: {to_decimal(quote.mid)}"
                self.memory.note(subject, "E11", ControlAction.MARKED, text, now_ns, symbol=symbol, amount=quote.mid)
        return marks

    def _stop(self, day: Day, now_ns: int, amount: int, blind: tuple[str, ...]) -> None:
        known = self.memory.standing.last(LOSS)
        if known is not None and known.at_ns in day:
            return
        text = f"E11: {to_decimal(-amount):.2f} were lost today: more than controls.max_loss = {self.config.max_loss}"
        if blind:
            text += f"; without a fresh quote, and taken at the worst: {', '.join(blind[:5])}"
        self.memory.note(LOSS, "E11", ControlAction.REDUCING, text, now_ns, amount=amount, until_ns=day.end_ns)
        self.measures.add("control_actions_total", control="E11")

    # The naked window

    def exposed(self, cell: int, units: int, now_ns: int) -> None:
        """A cell says how many short units nothing protects; of one that has died, its last word stands."""
        self._bare[cell] = units
        if sum(self._bare.values()) <= self.config.naked_window_units:
            self._bare_since_ns = 0
        elif not self._bare_since_ns:
            self._bare_since_ns = max(1, now_ns)

    def naked_too_long(self, now_ns: int) -> str:
        """Why no new risk may leave, or ""."""
        if not self._bare_since_ns or now_ns - self._bare_since_ns <= self.config.naked_window_ms * MS:
            return ""
        units, seconds = sum(self._bare.values()), (now_ns - self._bare_since_ns) / 1e9
        return (
            f"E20: {units} units have stood uncovered for {seconds:.0f} s of broker time; new risk waits until no more "
            f"than controls.naked_window_units = {self.config.naked_window_units} do"
        )
