"""Every key, its type, its default, its unit, and what is allowed.

Times that end in ``_ms`` are milliseconds; those marked *broker* are judged by the broker's clock, the others by the
machine's monotonic clock.  Percentages are plain numbers (0.5 is half a per cent).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from domain.money import PRICE_LIMIT, PRICE_SCALE
from domain.strategies import StrategyRules

# No honest configuration meets these bounds; beyond them a value fits no timer, no letter or no column any more.
MOST_MS = 2_000_000_000  # 23 days: a wait in milliseconds fits into 32 bits, a moment in nanoseconds into 64
MOST_TIMES = 10**6
MOST_UNITS = 10**12
MOST_AMOUNT = PRICE_LIMIT // PRICE_SCALE  # currency units; in ten-thousandths it fits into 64 bits
MOST_HOURS = 10_000
MOST_DAYS = 36_500  # a century, which still fits into 64 bits as nanoseconds

Ms = Annotated[int, msgspec.Meta(ge=1, le=MOST_MS)]
MsOrNone = Annotated[int, msgspec.Meta(ge=0, le=MOST_MS)]
Times = Annotated[int, msgspec.Meta(ge=1, le=MOST_TIMES)]
TimesOrNone = Annotated[int, msgspec.Meta(ge=0, le=MOST_TIMES)]
Units = Annotated[int, msgspec.Meta(ge=1, le=MOST_UNITS)]
UnitsOrNone = Annotated[int, msgspec.Meta(ge=0, le=MOST_UNITS)]
Amount = Annotated[int, msgspec.Meta(ge=1, le=MOST_AMOUNT)]
AmountOrNone = Annotated[int, msgspec.Meta(ge=0, le=MOST_AMOUNT)]
Hours = Annotated[int, msgspec.Meta(ge=1, le=MOST_HOURS)]
Days = Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)]
Percent = Annotated[float, msgspec.Meta(ge=0.0, le=100.0)]
# No path or address has a NUL; a variable whose bytes are not UTF-8 comes with surrogates, which no letter can hold.
Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\0\ud800-\udfff]+\Z")]
Texts = tuple[Text, ...]
Changes = tuple[Annotated[float, msgspec.Meta(ge=-100.0, le=1_000.0)], ...]  # in per cent of what is there
Factors = tuple[Annotated[float, msgspec.Meta(ge=1.0, le=100.0)], ...]
Time = Annotated[str, msgspec.Meta(pattern=r"\A(close|([01][0-9]|2[0-3]):[0-5][0-9])?\Z")]  # HH:MM, "close", or nothing
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class SystemConfig(Section, frozen=True, kw_only=True):
    """``[system]``: where things live."""

    journal_dir: Text = "run/journal"  # one journal file per cell, the locks, the alert log and the control socket
    admin_port: Port = 19470  # the actor system's own port on loopback
    cells: Annotated[int, msgspec.Meta(ge=1, le=25)] = 2  # processes that own groups; those of [paper] come on top
    log_level: Text = "info"  # debug, info, warning, error


class BrokerConfig(Section, frozen=True, kw_only=True):
    """``[broker]``: the one broker session."""

    kind: Text = "embedded"  # the only adapter that ships today
    host: Text = "127.0.0.1"
    port: Port = 19471
    calendar: Text = "always"  # when it trades; closed: no order leaves
    answer_timeout_ms: Ms = 2_000  # without an answer for so long, a request's fate is UNKNOWN
    silence_timeout_ms: Ms = 1_500  # without a byte for so long, the link is down
    cancel_on_disconnect_ms: MsOrNone = 30_000  # away so long (its time), it cancels our entries; 0: never
    replace_in_place: bool = True  # false: orders are never changed in place, although this broker could
    server_side_stops: bool = True  # false: stop-losses are watched here, although this broker could
    market_orders_rest: bool = False  # true: this house's market orders may stay as resting limits (market protection)


class RolloutConfig(Section, frozen=True, kw_only=True):
    """``[rollout]``: whether groups go to the broker, to an embedded exchange on paper, or some here and some there."""

    mode: Text = "live"  # live: all to the broker; paper: all on paper; rollout: by the share below
    live_share_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0  # until 'run_system.py rollout' first changes it


class PaperConfig(Section, frozen=True, kw_only=True):
    """``[paper]``: the embedded exchange that the system runs by itself when the mode is paper or rollout."""

    port: Port = 19473  # of the exchange, on the loopback interface
    cells: Annotated[int, msgspec.Meta(ge=1, le=11)] = 2  # processes that own the groups on paper
    quotes: Text = "replay"  # replay: a day of its own; live: the quotes of the broker in [broker], as they come
    replay: Text = "made-up"  # the day: "made-up", or a file of option quotes in LEAN's format
    replay_speed: Annotated[float, msgspec.Meta(ge=0.1, le=1_000.0)] = 1.0  # exchange seconds per real second


class OrdersConfig(Section, frozen=True, kw_only=True):
    """``[orders]``: how a leg is worked.  All times are broker time."""

    entry_patience_ms: Ms = 120_000  # a group not entered, or not whole again, by then is flattened
    working_timeout_ms: Ms = 3_000  # an entry that has not filled by then is canceled and priced again
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=30)] = (
        3  # attempts per slice; then the leg's shortfall is hedged
    )
    cancel_timeout_ms: Ms = 1_000  # a cancel without an answer is repeated after so long, then twice as long, …
    max_cancels: Times = 8  # a cancel that is stuck so often makes the order UNRESOLVED, with an alert
    quote_max_age_ms: Ms = 120_000  # an older quote blocks a release (R15)
    entry_step_pct: Percent = 0.5  # each further attempt concedes so much more of the price
    market_patience_ms: Ms = 1_000  # a repair's market order that rests for so long is priced again as a limit
    market_reprices: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5  # so often; then a person is called
    market_reprice_pct: Percent = 2.0  # each time conceding so much more beyond the touch
    market_band_pct: Percent = 15.0  # and never further than this from the mid; keep it below the gateway's collar
    absence_horizon_ms: Ms = 2_000  # an order is absent only so long after it was sent, or was last found absent


class HedgeConfig(Section, frozen=True, kw_only=True):
    """``[hedge]``: emergency and shortfall hedges (S7, S11).  All times are broker time."""

    depth: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3  # levels before a person is called
    timeout_ms: Ms = 5_000  # per level
    window_ms: MsOrNone = 500  # at most one hedge decision per symbol in so long
    concession_pct: Percent = 2.0  # level n concedes n times so much beyond the touch; the last level is a market order


class StopLossConfig(Section, frozen=True, kw_only=True):
    """``[stop_loss]`` (S2).  All times are broker time."""

    offset_pct: Percent = 0.5  # the execution price lies so far beyond the trigger
    fallback_ms: Ms = 2_000  # triggered and not filled for so long: a market order, in place or after a cancel
    max_unprotected_ms: Ms = 3_000  # no stop works at the broker for so long: CRITICAL, and it is watched here
    blind_ms: Ms = 10_000  # a stop that is watched here without a quote to judge by for so long: CRITICAL
    max_spread_pct: Percent = 50.0  # of the mid; a wider quote is not judged by, unless within max_spread_floor
    max_spread_floor: Percent = 0.5  # currency units


class ControlsConfig(Section, frozen=True, kw_only=True):
    """``[controls]``: the gateway's hard limits (E1 to E3, E5 to E12, E17, E20)."""

    max_order_qty: Units = 10_000  # units of one order; hedges, exits and stops are cut to it (E1)
    max_order_notional: Amount = 50_000_000  # currency units of one order, in the same way
    price_collar_pct: Percent = 20.0  # a limit further than this from a fresh mid is refused
    price_collar_floor: Percent = 1.0  # and never narrower than this many currency units
    reference_max_age_ms: Ms = 120_000  # broker time
    orders_per_second: Times = 200  # orders, cancels, changes and queries (E7)
    reserved_tokens: TimesOrNone = 40  # of them, never used by new risk or queries
    max_open_orders: Times = 20_000
    max_short_units_underlying: Units = 100_000  # units short or being sold of one underlying (E5)
    max_short_units: Units = 500_000  # the same of the whole account
    max_working_notional: Amount = 500_000_000  # currency units, of all working entries together (E5)
    max_order_premium: Amount = 10_000_000  # currency units that one entry may pay (E20)
    max_day_premium: Amount = 100_000_000  # and all entries of a day (the exchange's)
    max_margin_use_pct: Percent = 95.0  # of all funds, with what has left since the broker last counted (E20)
    naked_window_units: UnitsOrNone = 100  # more uncovered units than this for longer than …
    naked_window_ms: Ms = 10_000  # … this (broker time) stop new risk until they are covered (E20)
    repeat_limit: Times = 200  # parent orders of one symbol and side that may trade within … (E8)
    strategy_limit: Times = 10  # groups that one [[strategy]] may open within the same time (E8)
    repeat_window_ms: Ms = 60_000  # … this (broker time); beyond it a person must say that it was meant
    max_loss: AmountOrNone = (
        10_000_000  # currency units lost in a day of the exchange that stop new risk (E11); 0: none
    )
    cross_wait_ms: Ms = 1_000  # a repair waits so long for our own crossing order to be gone (machine time; E12)
    authorized: Texts = ()  # who may override a soft limit (E10); nobody by default
    max_override_ms: Ms = 3_600_000  # the longest override (broker time)
    restricted: Texts = ()  # symbols and underlyings in which nothing may be opened, only reduced


class MarginConfig(Section, frozen=True, kw_only=True):
    """``[margin]``: what a group may cost before it is opened (S5, S6)."""

    max_use_pct: Percent = 90.0  # of all funds, those in use included; a group that would need more is refused
    price_shocks_pct: Changes = (-3.0, 3.0)  # of the underlying; "as it is" is always among the scenarios
    iv_shocks_pct: Changes = (30.0, 50.0)  # of each contract's implied volatility
    spread_shocks: Factors = (1.5, 2.0)  # times the distance of bid and ask
    span_index_pct: Percent = 9.3  # price scan range of European contracts, taken as index options (NSE's floor)
    span_stock_pct: Percent = 14.2  # price scan range of all others (NSE)
    span_volatility_pct: Percent = 25.0  # volatility scan range (NSE)
    span_extreme_multiple: Annotated[float, msgspec.Meta(ge=1.0, le=10.0)] = 2.0  # NSE 2; CME 3
    span_extreme_cover_pct: Percent = 35.0  # the share of an extreme loss that counts: NSE 35; CME 33
    naked_pct: Percent = 20.0  # of the underlying, for a naked short (Cboe)
    naked_index_pct: Percent = 15.0  # the same for European contracts, taken as broad index options
    naked_minimum_pct: Percent = 10.0  # and at least so much of the underlying (call) or strike (put)
    rate_pct: Percent = 0.0  # interest a year, for revaluation
    dividend_pct: Percent = 0.0  # dividend yield a year
    funds_max_age_ms: Ms = 120_000  # older figures of the broker are taken as not known (broker time)
    quote_wait_ms: Ms = 5_000  # a submitted plan waits so long for the first quotes of its legs (broker time)


class ReconciliationConfig(Section, frozen=True, kw_only=True):
    """``[reconciliation]``: the poll that cannot be switched off, and what is made of it.  Broker time."""

    poll_ms: Annotated[int, msgspec.Meta(ge=1_000, le=12_000)] = 12_000
    positions_ms: Annotated[int, msgspec.Meta(ge=1_000, le=12_000)] = 12_000  # positions are validated this often (S3)
    grace_ms: Annotated[int, msgspec.Meta(ge=1_000, le=600_000)] = 2_000  # a difference must persist so long
    variance_pct: Percent = 10.0  # a position off by more of its leg's target is an issue (S3)
    expiry_warning_hours: Hours = 24  # an option is watched from so long before the end of its last day (S4)
    pin_risk_pct: Percent = 0.5  # an underlying nearer than this to an expiring strike may end on either side of it
    end_of_day: Time = "close"  # the final comparison of a day: at the market's close, or at this UTC time (E19)


class RetentionConfig(Section, frozen=True, kw_only=True):
    """``[retention]``: what ``journal archive`` leaves in the journals."""

    keep_days: Days = 7  # what is over stays for so long (broker time); what is open or holds a position, always


class SupervisionConfig(Section, frozen=True, kw_only=True):
    """``[supervision]``: restart budgets in OTP's words."""

    intensity: Times = 10  # restarts of one child within ``period_ms`` before the parent gives up
    period_ms: Ms = 30_000
    backoff_ms: MsOrNone = 50  # the first restart is at once; further ones wait this long, doubling
    backoff_max_ms: MsOrNone = 2_000
    heartbeat_ms: Ms = 500  # a child process is asked this often
    heartbeat_timeout_ms: Ms = 5_000  # and killed when it has not answered for so long
    start_timeout_ms: Ms = 60_000  # … or has not started after so long; the largest journal must open within it
    group_crashes: Times = 5  # rolled-back messages of one group before it is quarantined
    broker_silence_ms: Ms = 3_000  # no broker clock for so long: no new risk, alert


class AlertsConfig(Section, frozen=True, kw_only=True):
    """``[alerts]``."""

    exposure_units: Units = 100  # more uncovered short units than this in one cell are a CRITICAL alert at once
    margin_use_pct: Percent = 85.0  # more than this share of all funds tied up by margin is a CRITICAL alert
    hedge_lag_ms: Ms = 500  # a short uncovered for so long is a WARNING (broker time)
    uncovered_ms: Ms = 10_000  # a short uncovered for so long is a CRITICAL alert, hedges or not (broker time)
    expiry_news_ms: Ms = 60_000  # what has expired is still held so long after the next opening: CRITICAL
    repeat_ms: Ms = 30_000  # an unacknowledged CRITICAL is sent again this often (broker time)
    freeze_after_ms: Ms = 300_000  # and freezes new risk after so long (broker time)
    urls: Texts = ()  # Apprise URLs that alerts go to besides the alert log; "CRITICAL:json://…" takes only those
    sink_timeout_ms: Ms = 10_000  # a sink that has not answered for so long is given up and tried again later
    retry_ms: Ms = 1_000  # a sink that failed is tried again after so long, then twice as long, …
    retry_max_ms: Ms = 60_000  # and at least this often
    queue: Times = 1_000  # alerts that wait for sinks; beyond it the oldest that is not CRITICAL is dropped, counted


class MetricsConfig(Section, frozen=True, kw_only=True):
    """``[metrics]``: what Prometheus scrapes, on the loopback interface."""

    port: PortOrNone = 19472  # http://127.0.0.1:port/metrics; 0 serves none


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    system: SystemConfig = SystemConfig()
    broker: BrokerConfig = BrokerConfig()
    rollout: RolloutConfig = RolloutConfig()
    paper: PaperConfig = PaperConfig()
    orders: OrdersConfig = OrdersConfig()
    hedge: HedgeConfig = HedgeConfig()
    stop_loss: StopLossConfig = StopLossConfig()
    controls: ControlsConfig = ControlsConfig()
    margin: MarginConfig = MarginConfig()
    reconciliation: ReconciliationConfig = ReconciliationConfig()
    retention: RetentionConfig = RetentionConfig()
    supervision: SupervisionConfig = SupervisionConfig()
    alerts: AlertsConfig = AlertsConfig()
    metrics: MetricsConfig = MetricsConfig()
    strategy: tuple[StrategyRules, ...] = ()  # the [[strategy]] tables, read by config/strategies.py
    live_cells: int = 0  # no setting: in the view of a process on paper, system.cells of the live side
