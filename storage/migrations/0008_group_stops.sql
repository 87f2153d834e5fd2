-- 0008: the stop-loss of a whole group.

-- GroupStopRecord: armed from the group's first fill to its end.
CREATE TABLE group_stops (
    group_id TEXT PRIMARY KEY,
    max_loss REAL NOT NULL,
    judged_on TEXT NOT NULL,
    status TEXT NOT NULL,
    loss REAL NOT NULL,           -- when it triggered
    armed_ns INTEGER NOT NULL,
    blind_ns INTEGER NOT NULL,    -- since when a leg has no quote to judge by; 0: all have
    triggered_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL
) STRICT;
