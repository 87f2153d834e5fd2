-- 0003: when a short stood uncovered, and for how long.

-- ExposureRecord: one time in which shorts of a group stood uncovered.
CREATE TABLE exposures (
    group_id TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,    -- the most units that were uncovered at once
    covered_ns INTEGER NOT NULL,  -- 0 while they are
    PRIMARY KEY (group_id, opened_ns)
) STRICT, WITHOUT ROWID;

-- How many alerts wait for a person, without reading those that do not.
CREATE INDEX escalations_unacknowledged ON escalations (severity) WHERE acknowledged_ns = 0;

-- For people.
CREATE VIEW readable_exposures AS
SELECT
    group_id, symbol, quantity,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(opened_ns, 0) / 1e9, 'unixepoch') AS opened,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(covered_ns, 0) / 1e9, 'unixepoch') AS covered,
    CASE WHEN covered_ns > 0 THEN (covered_ns - opened_ns) / 1e6 END AS hedge_lag_ms
FROM exposures;
