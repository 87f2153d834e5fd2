"""The gateway's side of the start check: new risk is held back until what a start found is explained or accepted."""

from __future__ import annotations

import structlog
from thespian.actors import ActorAddress

from actors.broker_session import BrokerSession
from actors.control_log import ControlLog
from actors.fan_out import FanOut
from decisions.gateway.standing import DIFFERENCE
from decisions.positions.start_check import is_settled
from messages import wire
from messages.controls import AcceptDifferences, ControlAlert
from messages.positions import Compared, Difference, Verdict
from messages.records import ControlAction, ControlRecord, Severity

CONTROL = "E14"
NAMED = 3  # differences in one sentence; the table has all of them


class StartCheck:
    """What holds new risk back since this gateway was started; nothing more once it has opened.

    What is settled is in the gateway's journal: by a person who accepted it, or as found and told while the system ran.
    So the next start asks only about what happened while nobody looked.
    """

    def __init__(
        self,
        memory: ControlLog,
        session: BrokerSession,
        cells: FanOut,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.memory, self.session, self.cells, self.log = memory, session, cells, log
        self.opened = False
        self.verdict: Verdict | None = None
        self._told: frozenset[tuple[str, int]] = frozenset()

    def take(self, message: Compared, sender: ActorAddress) -> None:
        """The reconciler has compared."""
        del sender
        verdict = wire.verdict(message.verdict)
        if verdict.session == self.session.number:  # else it saw what an earlier gateway, or another session, did
            self.verdict = verdict
            self.look()
            if self.opened:
                self._settle(verdict.levels)

    def look(self) -> None:
        """Open for good, or tell what is in the way."""
        if self.opened or self.verdict is None:
            return
        held = self.held()
        if held:
            self._tell([one for one in held if one.checked])
            return
        self.opened = True
        self.log.info("the start check is through: positions are explained or accepted")

    def carry_on(self) -> None:
        """The system has passed this check, and only its gateway was started again: a reconciler looked on."""
        if not self.opened:
            self.opened = True
            self.log.info("the start check was passed before this gateway was started")

    def held(self) -> list[Difference]:
        """What is in the way."""
        found = self.verdict.held if self.verdict is not None else ()
        settled = self.memory.standing.settled()
        return [one for one in found if not is_settled(one.quantity, settled.get(one.key, 0))]

    def settled(self) -> tuple[tuple[str, int], ...]:
        """What need not be asked about."""
        return tuple(sorted(self.memory.standing.settled().items()))

    def reason(self) -> str:
        """Why no new risk may be taken, and what to do; "" when this check allows it."""
        if self.opened or (self.verdict is not None and not self.held()):
            return ""
        if self.verdict is None:
            return f"{CONTROL}: the start check waits for the reconciler's first comparison; 'status' shows it"
        held = self.held()
        checked = [one for one in held if one.checked]
        if not checked:
            return f"{CONTROL}: {_names(held)} may differ from the journals; the broker is being asked again"
        return (
            f"{CONTROL}: since the start the broker and the journals differ on {_names(checked)}; 'differences show' "
            "says how, and 'differences accept' ends that"
        )

    def choose(self, command: AcceptDifferences) -> list[Difference]:
        """Those that the command is about."""
        held = self.held()
        wanted = _bare(command.what)
        return [one for one in held if not wanted or wanted in (_bare(one.key), _bare(one.symbol), _bare(_id(one)))]

    def accepted(self, one: Difference, command: AcceptDifferences, at_ns: int) -> ControlRecord:
        """The record of a person's word."""
        text = f"accepted by {command.by}: {command.reason} (journals {one.journal}, broker {one.broker}; {one.cause})"
        return _record(one.key, one.quantity, text, at_ns, one.symbol, command.by)

    def _settle(self, levels: dict[str, int]) -> None:
        """The running system finds and tells every change: the next start need not ask about it."""
        settled = self.memory.standing.settled()
        now_ns = max(self.session.clock_ns, self.memory.clock_ns)
        for key in sorted(levels.keys() | settled.keys()):
            level, before = levels.get(key, 0), settled.get(key, 0)
            over = key.startswith("order/") and is_settled(level, before)
            if level != before and not over:  # an order only gets less, and its id never comes back
                self.memory.record(_record(key, level, "found while the system ran, and told", now_ns))

    def _tell(self, checked: list[Difference]) -> None:
        """A person is needed: once for each set of differences."""
        now = frozenset((one.key, one.quantity) for one in checked)
        if not now or now == self._told:
            return
        self._told = now
        self.log.warning("refused new risk: unexplained differences", differences=[_line(one) for one in checked])
        more = "" if len(checked) <= NAMED else f"; and {len(checked) - NAMED} more"
        text = "; ".join(_line(one) for one in checked[:NAMED]) + more
        self.cells.announce(
            ControlAlert(
                severity=Severity.WARNING,
                kind="START_DIFFERENCE",
                text=f"no new risk since the start, while repairs and stops go on: {text}; {checked[0].advice}",
                subject=str(self.session.clock_ns),
                symbol=checked[0].symbol,
                quantity=checked[0].quantity,
            )
        )


def _record(key: str, level: int, text: str, at_ns: int, symbol: str = "", by: str = "") -> ControlRecord:
    return ControlRecord(
        subject=DIFFERENCE + key,
        control=CONTROL,
        action=ControlAction.MARKED,
        symbol=symbol or key.partition("/")[2],
        quantity=level,
        text=text,
        by=by,
        at_ns=at_ns,
    )


def _id(one: Difference) -> str:
    return one.key.partition("/")[2]


def _bare(text: str) -> str:
    """Without the blanks that pad a symbol."""
    return "".join(text.split())


def _names(held: list[Difference]) -> str:
    names = [f"{_name(one)} ({one.quantity:+d})" for one in held[:NAMED]]
    return ", ".join(names) + (f" and {len(held) - NAMED} more" if len(held) > NAMED else "")


def _name(one: Difference) -> str:
    return one.symbol.strip() if one.key.startswith("position/") else f"order {_id(one)} in {one.symbol.strip()}"


def _line(one: Difference) -> str:
    return f"{_name(one)}: the journals say {one.journal}, the broker says {one.broker} ({one.cause})"
