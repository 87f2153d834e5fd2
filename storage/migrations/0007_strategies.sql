-- 0007: Strategies: the standing instructions, and the verticals that they entered.

-- StrategyRecord: where one strategy stands; rules is domain.strategies.StrategyRules.
CREATE TABLE strategies (
    name TEXT PRIMARY KEY,
    cell INTEGER NOT NULL,
    kind TEXT NOT NULL,
    underlying TEXT NOT NULL,
    status TEXT NOT NULL,
    standing TEXT NOT NULL,
    reason TEXT NOT NULL,
    group_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    adjustments INTEGER NOT NULL,
    rolled_from TEXT NOT NULL,
    beyond_strike REAL NOT NULL,
    tries INTEGER NOT NULL,
    next_try_ns INTEGER NOT NULL,
    verticals INTEGER NOT NULL,
    realised REAL NOT NULL,
    crashes INTEGER NOT NULL,
    rules BLOB NOT NULL,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL
) STRICT;

-- VerticalRecord: one vertical, from its decision to its end; net, max_profit, max_loss and realised are amounts.
CREATE TABLE verticals (
    group_id TEXT PRIMARY KEY,
    strategy TEXT NOT NULL,
    kind TEXT NOT NULL,
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    short_symbol TEXT NOT NULL,
    long_symbol TEXT NOT NULL,
    short_strike REAL NOT NULL,
    long_strike REAL NOT NULL,
    quantity INTEGER NOT NULL,
    multiplier INTEGER NOT NULL,
    entry_spot REAL NOT NULL,
    credit REAL NOT NULL,
    net REAL NOT NULL,
    max_profit REAL NOT NULL,
    max_loss REAL NOT NULL,
    breakeven REAL NOT NULL,
    rolled_from TEXT NOT NULL,
    exit TEXT NOT NULL,
    exit_reason TEXT NOT NULL,
    closings INTEGER NOT NULL,
    realised REAL NOT NULL,
    decided_ns INTEGER NOT NULL,
    entered_ns INTEGER NOT NULL,
    exit_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX verticals_strategy ON verticals (strategy);
CREATE INDEX verticals_open ON verticals (strategy) WHERE closed_ns = 0;

-- For people.
CREATE VIEW readable_verticals AS
SELECT
    strategy, group_id, kind, short_strike, long_strike, expiry, quantity, credit, max_profit, max_loss, breakeven,
    exit, exit_reason, realised, rolled_from,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(entered_ns, 0) / 1e9, 'unixepoch') AS entered,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(closed_ns, 0) / 1e9, 'unixepoch') AS closed
FROM verticals;
