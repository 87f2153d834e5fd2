-- 0006: what moved positions without an order of ours.

-- PositionEventRecord: one change of a position by assignment, exercise, expiry, liquidation, another hand, or unexplained.
CREATE TABLE position_events (
    event_id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,     -- '': nobody's; the position is foreign
    leg_id TEXT NOT NULL,       -- '': not a leg of the group
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,  -- signed: what the account gained
    kind TEXT NOT NULL,
    evidence TEXT NOT NULL,
    activity_id TEXT NOT NULL,  -- the broker's own name for it, '' where it gave none
    price REAL NOT NULL,
    ts_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX position_events_group ON position_events (group_id);

-- For people.
CREATE VIEW readable_position_events AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(ts_ns, 0) / 1e9, 'unixepoch') AS at,
    kind, quantity, symbol, price, group_id, leg_id, evidence, activity_id
FROM position_events;
