"""What a cell may do right now: nothing, repair, or open new risk (I22, I26, I28)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from domain.trading import TradingState
from messages.controls import TradingStateChanged
from messages.market import BrokerSilent, BrokerUp
from messages.operator import KillSwitch
from messages.orders import Snapshot


class Gate(msgspec.Struct, frozen=True):
    """The facts that open and close the gate.  A cell starts with it closed."""

    session: int = 0  # of the gateway's link; 0 while there is none
    reconciled: int = 0  # the session whose snapshot has been walked through the recovery table
    silent: bool = False  # no broker clock for too long
    killed: bool = False
    frozen: bool = False  # a CRITICAL alert has gone unacknowledged past its deadline
    storage_low: bool = False
    trading: TradingState = TradingState.ACTIVE  # of the whole system, as the gateway last said
    trading_reason: str = ""
    behind: bool = False  # the broker's clock is far behind the journal's: nothing that waits for a time would happen
    market: str = ""  # why the market takes no new risk: closed, halted, or not known
    waits: str = ""  # why it takes no order at all

    @property
    def may_send(self) -> bool:
        """Repairs may leave: the session is up and reconciled."""
        return self.session > 0 and self.reconciled == self.session

    @property
    def may_open(self) -> bool:
        """New risk may leave."""
        return not self.shut_by

    @property
    def shut_by(self) -> str:
        """Why no new risk may leave, and what to do about it; "" when it may."""
        reasons = (
            (not self.session, "there is no session with the broker"),
            (self.reconciled != self.session, "the journal has not been compared with the broker's snapshot yet"),
            (self.killed, "the kill switch is on; 'kill-switch off' ends that"),
            (
                self.trading is not TradingState.ACTIVE,
                _state_text(self.trading, self.trading_reason),
            ),
            (self.frozen, "a CRITICAL alert has waited too long for a person; 'alerts' lists it, and 'ack' ends that"),
            (self.storage_low, "the disk is full, or was; make room and start the system again"),
            (self.silent, "the broker is silent"),
            (self.behind, "the broker's clock is far behind the journal's; another broker needs another journal_dir"),
            (bool(self.market), self.market),
        )
        return next((text for shut, text in reasons if shut), "")


def _state_text(state: TradingState, reason: str) -> str:
    """The reason; where it does not say itself what ends it, that too."""
    if reason.startswith(("E14", "E18")):
        return reason
    return f"the trading state is {state.value} ({reason}); 'trading-state active' ends that"


def turn(gate: Gate, message: object) -> Gate:
    """The gate after this message."""
    match message:
        case BrokerUp():
            return replace(gate, session=message.session, silent=False)
        case BrokerSilent():
            return replace(gate, silent=True, session=0 if message.link_down else gate.session)
        case Snapshot():
            return replace(gate, reconciled=message.session, session=message.session, silent=False)
        case KillSwitch():
            return replace(gate, killed=message.on)
        case TradingStateChanged():
            return replace(gate, trading=message.state, trading_reason=message.reason)
        case _:
            return gate
