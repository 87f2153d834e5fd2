-- 0001: the log, and the tables that are the log folded (last record per key).
--
-- Conventions: enums by their value as TEXT; prices as REAL in units of the currency (the program rounds them back to
-- whole ten-thousandths); quantities as INTEGER units; *_ns are INTEGER nanoseconds of the broker's clock since 1970
-- UTC, 0 where not yet; booleans 0 or 1; BLOBs are MessagePack [version, value].  Table and column names are the names
-- of the structs in messages/records.py and of their fields; exceptions are marked.
--
-- There are no foreign keys between the folded tables on purpose: a fill must never be refused because the row that it
-- belongs to is missing.

PRAGMA application_id = 0x4C4B4A4C;  -- "LKJL": this SQLite file is a legkeeper journal

-- Which migrations this file has seen; the highest equals PRAGMA user_version.
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_host_ns INTEGER NOT NULL  -- clock of this machine, for people; nothing is decided by it
) STRICT;

-- One row per opening by an owner.  Every send carries the epoch of its cell, so that an old owner can be told apart.
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY CHECK (epoch > 0),
    after_turn INTEGER NOT NULL,     -- last turn that was durable when the epoch began
    pid INTEGER NOT NULL,            -- process that owned the journal
    opened_host_ns INTEGER NOT NULL  -- clock of this machine, for people; nothing is decided by it
) STRICT;

-- The log: one row per committed turn, gapless from 1, never changed.  Every other table can be rebuilt from it.
CREATE TABLE turns (
    turn INTEGER PRIMARY KEY CHECK (turn > 0),
    epoch INTEGER NOT NULL REFERENCES epochs (epoch),
    at_ns INTEGER NOT NULL,   -- broker time of the turn
    payload BLOB NOT NULL,    -- MessagePack [version, [[struct name, field, field, ...], ...]], in order
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),  -- hash of turn - 1; 32 zero bytes for turn 1
    -- BLAKE2b, 32 bytes, over prev_hash, then turn, epoch and at_ns as 8-byte big-endian integers, then payload.
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER turns_are_never_changed BEFORE UPDATE ON turns
BEGIN SELECT raise(ABORT, 'turns are never changed'); END;
CREATE TRIGGER turns_are_never_deleted BEFORE DELETE ON turns
BEGIN SELECT raise(ABORT, 'turns are never deleted'); END;

-- GroupRecord: one order group.
CREATE TABLE order_groups (
    group_id TEXT PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,  -- not in the record: group_tag(group_id), the eight characters in every order id
    cell INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    status TEXT NOT NULL,
    mode TEXT NOT NULL,
    outcome TEXT NOT NULL,     -- 'open' until the group has ended
    reason TEXT NOT NULL,
    definition BLOB NOT NULL,  -- the record's field "group": the validated plan
    hedges_placed INTEGER NOT NULL,
    crashes INTEGER NOT NULL,  -- how often an actor of the group was rolled back
    quarantined INTEGER NOT NULL CHECK (quarantined IN (0, 1)),
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL
) STRICT;

-- LegRecord: how far one parent order of a leg is authorised.
CREATE TABLE legs (
    group_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    kind TEXT NOT NULL,  -- E entry, C close
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    target_qty INTEGER NOT NULL,
    authorized_qty INTEGER NOT NULL,  -- a level: shrinks when protection is busted
    updated_ns INTEGER NOT NULL,
    PRIMARY KEY (group_id, leg_id, kind)
) STRICT, WITHOUT ROWID;

-- IntentRecord: one child order, durable before its first byte leaves.
CREATE TABLE order_intents (
    client_order_id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,  -- tag of the leg, hedge or stop that the order belongs to
    role TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price REAL NOT NULL,          -- 0 for a market order
    trigger_price REAL NOT NULL,  -- 0 unless a stop
    order_type TEXT NOT NULL,
    time_in_force TEXT NOT NULL,
    slice INTEGER NOT NULL,       -- which slice of the parent's quantity
    attempt INTEGER NOT NULL,     -- attempt n + 1 exists only when n is terminal at the broker
    status TEXT NOT NULL,
    broker_order_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    reference_price REAL NOT NULL,  -- mid when it was decided, for slippage
    parent_qty INTEGER NOT NULL,
    cause TEXT NOT NULL,   -- id of the event that led to the order
    reason TEXT NOT NULL,
    checks TEXT NOT NULL,  -- controls that the gateway applied
    decided_ns INTEGER NOT NULL,
    sent_ns INTEGER NOT NULL,
    acknowledged_ns INTEGER NOT NULL,
    cancel_requested_ns INTEGER NOT NULL,
    cancel_requests INTEGER NOT NULL,
    terminal_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX order_intents_group ON order_intents (group_id);
CREATE INDEX order_intents_live ON order_intents (group_id)
WHERE status IN ('INTENT_PERSISTED', 'SENT', 'LIVE', 'UNRESOLVED');

-- ExecutionStateRecord: what is known of one order.
CREATE TABLE execution_states (
    client_order_id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,
    ord_status TEXT NOT NULL,
    order_qty INTEGER NOT NULL,
    cum_qty INTEGER NOT NULL,
    leaves_qty INTEGER NOT NULL,
    avg_px REAL NOT NULL,
    knowledge BLOB NOT NULL,  -- domain.orders.OrderState: the join of every report
    updated_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX execution_states_group ON execution_states (group_id);

-- ExecutionRecord: every trade, correction and bust once.
CREATE TABLE executions (
    client_order_id TEXT NOT NULL,
    exec_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    exec_type TEXT NOT NULL,    -- trade, trade_correct, trade_cancel
    exec_ref_id TEXT NOT NULL,  -- the trade that a correction or bust changes
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    last_qty INTEGER NOT NULL,
    last_px REAL NOT NULL,
    ts_ns INTEGER NOT NULL,
    PRIMARY KEY (client_order_id, exec_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX executions_group ON executions (group_id);

-- HedgeRecord: one level of one hedge.
CREATE TABLE hedge_tracking (
    hedge_id TEXT PRIMARY KEY,  -- tag of the parent order
    group_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    parent_hedge_id TEXT NOT NULL,  -- '' at level 1
    level INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    needed_qty INTEGER NOT NULL,
    filled_qty INTEGER NOT NULL,
    status TEXT NOT NULL,
    "trigger" TEXT NOT NULL,  -- why, in words
    opened_ns INTEGER NOT NULL,
    deadline_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX hedge_tracking_group ON hedge_tracking (group_id);

-- StopRecord: one stop-loss; lives until its position is flat.
CREATE TABLE stop_tracking (
    stop_id TEXT PRIMARY KEY,  -- tag of the parent order
    group_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    filled_qty INTEGER NOT NULL,
    trigger_price REAL NOT NULL,
    limit_price REAL NOT NULL,
    status TEXT NOT NULL,
    armed_ns INTEGER NOT NULL,
    triggered_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX stop_tracking_group ON stop_tracking (group_id);

-- RejectedEventRecord: a report that was not allowed to move a status, or a message that was parked.  One event (a
-- snapshot) may speak of many orders, hence the wide key.
CREATE TABLE rejected_events (
    event_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    "current" TEXT NOT NULL,  -- status that was kept
    incoming TEXT NOT NULL,   -- status that was refused
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,    -- the message as its writer encoded it
    ts_ns INTEGER NOT NULL,
    PRIMARY KEY (event_id, group_id, client_order_id)
) STRICT;
CREATE INDEX rejected_events_group ON rejected_events (group_id);

-- EscalationRecord: an alert, kept until it is delivered and, when CRITICAL, acknowledged by a person.
CREATE TABLE escalations (
    escalation_id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,  -- '' when it is about the system
    severity TEXT NOT NULL,
    kind TEXT NOT NULL,
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    text TEXT NOT NULL,
    raised_ns INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    delivered_ns INTEGER NOT NULL,
    acknowledged_ns INTEGER NOT NULL,
    acknowledged_by TEXT NOT NULL
) STRICT;
CREATE INDEX escalations_open ON escalations (raised_ns)
WHERE delivered_ns = 0 OR (severity = 'CRITICAL' AND acknowledged_ns = 0);

-- ProcessedEventRecord: the inbox; the row is written by the transaction that holds the effects.  A table with rowids,
-- so that "the latest" is a walk backwards.  Nothing is ever removed, which covers every session and open group.
CREATE TABLE processed_events (
    event_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    group_id TEXT NOT NULL,
    ts_ns INTEGER NOT NULL
) STRICT;
