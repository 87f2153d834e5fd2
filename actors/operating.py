"""What an operator may tell the gateway: kill switch, trading state, enabling, overriding (E8 to E11)."""

from __future__ import annotations

import msgspec

from actors.control_log import ControlLog
from actors.trading import Trading
from config.schema import ControlsConfig
from decisions.effects import MS
from decisions.gateway.standing import EVERY_SYMBOL, SOFT
from domain.trading import TradingState
from messages.controls import (
    AcceptDifferences,
    AskControls,
    ControlsInForce,
    EnableControl,
    OverrideControl,
    SetTradingState,
)
from messages.operator import CommandDone, CommandRefused, KillSwitch
from messages.records import ControlAction, ControlRecord


class Operator:
    """Carries out one command after the other.  What loosens anything is durable before it counts."""

    def __init__(self, config: ControlsConfig, memory: ControlLog, trading: Trading) -> None:
        self.config, self.memory, self.trading = config, memory, trading

    def carry_out(self, command: msgspec.Struct) -> msgspec.Struct:
        """The answer: done, or refused with what to do."""
        match command:
            case KillSwitch():
                return self._kill_switch(command)
            case SetTradingState():
                return self._trading_state(command)
            case EnableControl():
                return self._enable(command)
            case OverrideControl():
                return self._override(command)
            case AcceptDifferences():
                return self._accept(command)
            case AskControls():
                return self._in_force()
        return CommandRefused((f"the gateway does not know the command {type(command).__name__}",))

    def _kill_switch(self, command: KillSwitch) -> CommandDone:
        count = self.trading.set_kill_switch(on=command.on)
        if command.on:
            foreign = self.trading.foreign()
            text = f"kill switch on; {count} working entries are being canceled{foreign}"
            if self.trading.is_unsaved:
                text += (
                    "; it is in force, but will not survive a restart, since the disk took neither its file nor a "
                    f"record: make room, or turn it on again after a restart ({self.memory.problem})"
                )
            return CommandDone(text)
        return CommandDone(f"kill switch off{self._remains()}")

    def _trading_state(self, command: SetTradingState) -> CommandDone | CommandRefused:
        count = self.trading.set_state(command)
        durable = self.memory.flush()
        if command.state is TradingState.ACTIVE:
            return CommandDone(f"the operator's trading state is active{self._remains()}")
        text = f"the trading state is {self.trading.told.state.value}; {count} working entries are being canceled"
        if not durable:
            text += f"; it is in force, but will not survive a restart: {self.memory.problem}"
        return CommandDone(text)

    def _remains(self) -> str:
        told = self.trading.told
        return (
            "" if told.state is TradingState.ACTIVE else f", but the system is still {told.state.value}: {told.reason}"
        )

    def _enable(self, command: EnableControl) -> CommandDone | CommandRefused:
        found = self.memory.standing.disabled(command.subject)
        if found is None:
            known = ", ".join(repr(record.subject) for record in self.memory.standing.all_disabled()) or "nothing"
            return CommandRefused((f"{command.subject!r} is not disabled; disabled is {known}",))
        text = f"enabled by {command.by}: {command.reason}"
        record = msgspec.structs.replace(
            found, action=ControlAction.ENABLED, text=text, by=command.by, at_ns=self.trading.now_ns()
        )
        return self._durably(record, f"{command.subject} may be traded again")

    def _override(self, command: OverrideControl) -> CommandDone | CommandRefused:
        problem = self._may_not_override(command)
        if problem:
            return CommandRefused((problem,))
        now_ns = self.trading.now_ns()
        record = ControlRecord(
            subject=f"override/{command.control}/{command.symbol or EVERY_SYMBOL}",
            control=command.control,
            action=ControlAction.GRANTED,
            symbol=command.symbol,
            text=f"{command.reason} ({command.by})",
            by=command.by,
            at_ns=now_ns,
            until_ns=now_ns + command.for_ms * MS,
        )
        scope = command.symbol or "every symbol"
        return self._durably(
            record, f"{command.control} is overridden for {scope} for {command.for_ms / 1_000:g} s of broker time"
        )

    def _may_not_override(self, command: OverrideControl) -> str:
        if command.control not in SOFT:
            return f"{command.control} cannot be overridden; only {', '.join(SOFT)} can"
        if command.by not in self.config.authorized:
            who = ", ".join(self.config.authorized) or "nobody"
            return f"{command.by!r} may not override controls; controls.authorized names {who}"
        if command.for_ms > self.config.max_override_ms:
            return (
                f"an override ends after {self.config.max_override_ms / 1_000:g} s (controls.max_override_ms) at most"
            )
        if not self.trading.session.clock_ns:
            return "the broker's clock is not known yet, so that nothing could end the override; try again when it is"
        return ""

    def _accept(self, command: AcceptDifferences) -> CommandDone | CommandRefused:
        """What a start found is as it should be; from then on it is part of what is expected."""
        start = self.trading.start
        held, chosen = start.held(), start.choose(command)
        if not held:
            waits = start.reason()
            return CommandRefused((waits,)) if waits else CommandDone("no difference holds new risk back")
        if not chosen:
            return CommandRefused((f"{command.what!r} is not held back; 'differences show' lists what is",))
        if not all(one.checked for one in chosen):
            return CommandRefused(("the broker is still being asked about it; try again in a few seconds",))
        *first, last = [start.accepted(one, command, self.trading.now_ns()) for one in chosen]
        for record in first if not self.memory.problem else ():
            self.memory.record(record)
        answer = self._durably(last, f"accepted: {', '.join(one.key for one in chosen)}")
        if isinstance(answer, CommandRefused):
            return answer
        start.look()
        self.trading.review()
        self.trading.session.probe()  # the reconciler's report is to say so too
        self.trading.door.measures.add("control_actions_total", len(chosen), control="E14")
        return CommandDone(f"{answer.text}; {start.reason() or 'no difference holds new risk back any more'}")

    def _durably(self, record: ControlRecord, text: str) -> CommandDone | CommandRefused:
        """What loosens something counts only once it is written."""
        if self.memory.problem:
            return CommandRefused((f"it cannot be written down, so it is not done: {self.memory.problem}",))
        self.memory.record(record)
        if not self.memory.flush():
            return CommandRefused((f"it may not be written down: {self.memory.problem}; ask again",))
        self.trading.review()
        return CommandDone(text)

    def _in_force(self) -> ControlsInForce:
        standing, now_ns = self.memory.standing, self.trading.now_ns()
        lines = [f"{record.subject}: disabled, {record.text}" for record in standing.all_disabled()]
        for record in standing.overrides(now_ns):
            left_s = (record.until_ns - now_ns) // (1_000 * MS)
            lines.append(
                f"{record.control} {record.symbol or 'every symbol'}: overridden for {left_s} s more, {record.text}"
            )
        return ControlsInForce(self.trading.told.state, self.trading.told.reason, tuple(lines))
