-- 0004: changes of an order in place.

-- IntentRecord: the terms of a row are those that were asked for last; the log holds the earlier ones.
ALTER TABLE order_intents ADD COLUMN replace_requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE order_intents ADD COLUMN replace_requested_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE order_intents ADD COLUMN replace_status TEXT NOT NULL DEFAULT '';  -- REQUESTED, REPLACED, FAILED

-- StopRecord: what triggers it, and since when nothing looks after its position.
ALTER TABLE stop_tracking ADD COLUMN trigger_on TEXT NOT NULL DEFAULT 'last';
ALTER TABLE stop_tracking ADD COLUMN unprotected_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stop_tracking ADD COLUMN blind_ns INTEGER NOT NULL DEFAULT 0;

-- StopWindowRecord: one time in which a position stood without its stop-loss.
CREATE TABLE stop_windows (
    stop_id TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    group_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL,
    PRIMARY KEY (stop_id, opened_ns)
) STRICT, WITHOUT ROWID;
