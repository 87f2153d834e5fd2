-- 0005: what the gateway decided by itself or was told (gateway.db).

-- ControlRecord: the last decision about one subject.
CREATE TABLE control_decisions (
    subject TEXT PRIMARY KEY,   -- 'order/LK…', 'trading/operator', 'repeat/…', 'override/E2/…', 'mark/…'
    control TEXT NOT NULL,      -- E1 to E20, or trading
    "action" TEXT NOT NULL,
    group_id TEXT NOT NULL,     -- '' when it is about the system
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,    -- ten-thousandths of the currency
    text TEXT NOT NULL,
    by TEXT NOT NULL,           -- '' when nobody asked for it
    at_ns INTEGER NOT NULL,
    until_ns INTEGER NOT NULL   -- 0: until it is changed
) STRICT;
CREATE INDEX control_decisions_group ON control_decisions (group_id);

-- For people.
CREATE VIEW readable_controls AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(at_ns, 0) / 1e9, 'unixepoch') AS at,
    control, "action", subject, group_id, symbol, quantity, amount / 10000.0 AS amount, text, by,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(until_ns, 0) / 1e9, 'unixepoch') AS until
FROM control_decisions;
