-- Every statement of the journal, by name.  Upserts take the fields of the struct in their order (order_groups: then the
-- tag); a conflict on the key replaces the row, any other conflict (two groups with one tag) refuses the turn.

-- The log

-- name: insert_epoch
INSERT INTO epochs (epoch, after_turn, pid, opened_host_ns) VALUES (?, ?, ?, ?);

-- name: last_epoch
SELECT coalesce(max(epoch), 0) FROM epochs;

-- name: select_epochs
SELECT epoch, after_turn, pid, opened_host_ns FROM epochs ORDER BY epoch;

-- name: insert_turn
INSERT INTO turns (turn, epoch, at_ns, payload, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?);

-- name: turn_bounds
SELECT count(*), coalesce(min(turn), 0), coalesce(max(turn), 0) FROM turns;

-- name: turn_hash
SELECT hash FROM turns WHERE turn = ?;

-- name: turns_after
SELECT turn, epoch, at_ns, payload, prev_hash, hash FROM turns WHERE turn > ? ORDER BY turn;

-- name: turns_containing
SELECT turn, epoch, at_ns, payload, prev_hash, hash FROM turns WHERE instr(payload, ?) > 0 ORDER BY turn;

-- name: log_base
SELECT through_turn, hash FROM archives ORDER BY through_turn DESC LIMIT 1;

-- name: archived_in
SELECT a.file FROM archived_groups AS g JOIN archives AS a USING (through_turn) WHERE g.tag = ?;

-- name: insert_archive
INSERT INTO archives (through_turn, hash, file, made_host_ns) VALUES (?, ?, ?, ?);

-- name: insert_archived_group
INSERT INTO archived_groups (tag, group_id, through_turn) VALUES (?, ?, ?);

-- name: delete_archived_turns
DELETE FROM turns WHERE turn <= ?;

-- What the owner asks

-- name: last_at_ns
SELECT at_ns FROM turns ORDER BY turn DESC LIMIT 1;

-- name: group_by_tag
SELECT group_id FROM order_groups WHERE tag = ?1
UNION ALL
SELECT group_id FROM archived_groups WHERE tag = ?1;

-- name: open_groups
SELECT group_id FROM order_groups
WHERE
    outcome = 'open'
    OR group_id IN (
        SELECT group_id FROM order_intents WHERE status IN ('INTENT_PERSISTED', 'SENT', 'LIVE', 'UNRESOLVED')
        UNION ALL
        SELECT group_id FROM hedge_tracking WHERE status = 'WORKING'
        UNION ALL
        SELECT group_id FROM stop_tracking WHERE status IN ('ARMED', 'TRIGGERED', 'FALLBACK', 'MARKET')
        UNION ALL
        SELECT group_id FROM group_stops WHERE status IN ('ARMED', 'TRIGGERED')
    )
ORDER BY created_ns, group_id;

-- name: live_intents
SELECT * FROM order_intents
WHERE status IN ('INTENT_PERSISTED', 'SENT', 'LIVE', 'UNRESOLVED') ORDER BY decided_ns, client_order_id;

-- name: live_states
SELECT * FROM execution_states
WHERE client_order_id IN (
    SELECT client_order_id FROM order_intents WHERE status IN ('INTENT_PERSISTED', 'SENT', 'LIVE', 'UNRESOLVED')
);

-- name: ended_untold
SELECT * FROM order_intents
WHERE terminal_ns >= ? AND status IN ('VOID', 'REFUSED', 'EXPIRED') ORDER BY decided_ns, client_order_id;

-- name: open_escalations
SELECT * FROM escalations
WHERE delivered_ns = 0 OR (severity = 'CRITICAL' AND acknowledged_ns = 0)
ORDER BY raised_ns, escalation_id;

-- name: standing_controls
SELECT * FROM control_decisions WHERE substr(subject, 1, instr(subject, '/')) NOT IN ('order/', 'held/', 'use/') ORDER BY at_ns, subject;

-- name: count_intents
SELECT status, count(*) FROM order_intents GROUP BY status;

-- name: count_unresolved
SELECT group_id, count(*) FROM order_intents WHERE status = 'UNRESOLVED' GROUP BY group_id;

-- name: count_groups
SELECT outcome, count(*) FROM order_groups GROUP BY outcome;

-- name: count_unacknowledged
SELECT severity, count(*) FROM escalations WHERE acknowledged_ns = 0 GROUP BY severity;

-- name: latest_event_ids
SELECT event_id FROM processed_events ORDER BY rowid DESC LIMIT ?;

-- name: seen
SELECT event_id FROM processed_events WHERE event_id IN (SELECT value FROM json_each(?));

-- name: open_verticals
SELECT * FROM verticals WHERE closed_ns = 0 ORDER BY decided_ns, group_id;

-- Some groups, by a JSON list of their ids

-- name: group_order_groups
SELECT * FROM order_groups
WHERE group_id IN (SELECT value FROM json_each(?));

-- name: group_legs
SELECT * FROM legs
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY leg_id, kind;

-- name: group_order_intents
SELECT * FROM order_intents
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY decided_ns, client_order_id;

-- name: group_execution_states
SELECT * FROM execution_states
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY client_order_id;

-- name: group_executions
SELECT * FROM executions
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY ts_ns, client_order_id, exec_id;

-- name: group_hedge_tracking
SELECT * FROM hedge_tracking
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY opened_ns, hedge_id;

-- name: group_stop_tracking
SELECT * FROM stop_tracking
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY armed_ns, stop_id;

-- name: group_group_stops
SELECT * FROM group_stops
WHERE group_id IN (SELECT value FROM json_each(?));

-- name: group_exposures
SELECT * FROM exposures
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY opened_ns;

-- name: group_position_events
SELECT * FROM position_events
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY ts_ns, event_id;

-- name: group_rejected_events
SELECT * FROM rejected_events
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY ts_ns, event_id, client_order_id;

-- name: group_control_decisions
SELECT * FROM control_decisions
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY at_ns, subject;

-- name: group_escalations
SELECT * FROM escalations
WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY raised_ns, escalation_id;

-- The tables: written once per turn, read whole by the audit

-- name: upsert_order_groups
INSERT INTO order_groups (
    group_id, cell, strategy, status, mode, outcome, reason, definition, hedges_placed, crashes, quarantined,
    created_ns, updated_ns, tag
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET
    cell = excluded.cell, strategy = excluded.strategy, status = excluded.status, mode = excluded.mode,
    outcome = excluded.outcome, reason = excluded.reason, definition = excluded.definition,
    hedges_placed = excluded.hedges_placed, crashes = excluded.crashes, quarantined = excluded.quarantined,
    created_ns = excluded.created_ns, updated_ns = excluded.updated_ns, tag = excluded.tag;

-- name: upsert_legs
INSERT INTO legs (
    group_id, leg_id, kind, symbol, side, target_qty, authorized_qty, updated_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (group_id, leg_id, kind) DO UPDATE SET
    symbol = excluded.symbol, side = excluded.side, target_qty = excluded.target_qty,
    authorized_qty = excluded.authorized_qty, updated_ns = excluded.updated_ns;

-- name: upsert_order_intents
INSERT INTO order_intents (
    client_order_id, group_id, leg_id, parent_id, role, symbol, side, quantity, price, trigger_price, order_type,
    time_in_force, slice, attempt, status, broker_order_id, epoch, reference_price, parent_qty, cause, reason, checks,
    decided_ns, sent_ns, acknowledged_ns, cancel_requested_ns, cancel_requests, terminal_ns, replace_requests,
    replace_requested_ns, replace_status
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_order_id) DO UPDATE SET
    group_id = excluded.group_id, leg_id = excluded.leg_id, parent_id = excluded.parent_id, role = excluded.role,
    symbol = excluded.symbol, side = excluded.side, quantity = excluded.quantity, price = excluded.price,
    trigger_price = excluded.trigger_price, order_type = excluded.order_type, time_in_force = excluded.time_in_force,
    slice = excluded.slice, attempt = excluded.attempt, status = excluded.status,
    broker_order_id = excluded.broker_order_id, epoch = excluded.epoch, reference_price = excluded.reference_price,
    parent_qty = excluded.parent_qty, cause = excluded.cause, reason = excluded.reason, checks = excluded.checks,
    decided_ns = excluded.decided_ns, sent_ns = excluded.sent_ns, acknowledged_ns = excluded.acknowledged_ns,
    cancel_requested_ns = excluded.cancel_requested_ns, cancel_requests = excluded.cancel_requests,
    terminal_ns = excluded.terminal_ns, replace_requests = excluded.replace_requests,
    replace_requested_ns = excluded.replace_requested_ns, replace_status = excluded.replace_status;

-- name: upsert_execution_states
INSERT INTO execution_states (
    client_order_id, group_id, ord_status, order_qty, cum_qty, leaves_qty, avg_px, knowledge, updated_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_order_id) DO UPDATE SET
    group_id = excluded.group_id, ord_status = excluded.ord_status, order_qty = excluded.order_qty,
    cum_qty = excluded.cum_qty, leaves_qty = excluded.leaves_qty, avg_px = excluded.avg_px,
    knowledge = excluded.knowledge, updated_ns = excluded.updated_ns;

-- name: upsert_executions
INSERT INTO executions (
    client_order_id, exec_id, group_id, exec_type, exec_ref_id, symbol, side, last_qty, last_px, ts_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_order_id, exec_id) DO UPDATE SET
    group_id = excluded.group_id, exec_type = excluded.exec_type, exec_ref_id = excluded.exec_ref_id,
    symbol = excluded.symbol, side = excluded.side, last_qty = excluded.last_qty, last_px = excluded.last_px,
    ts_ns = excluded.ts_ns;

-- name: upsert_hedge_tracking
INSERT INTO hedge_tracking (
    hedge_id, group_id, leg_id, parent_hedge_id, level, ordinal, symbol, side, needed_qty, filled_qty, status,
    "trigger", opened_ns, deadline_ns, closed_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (hedge_id) DO UPDATE SET
    group_id = excluded.group_id, leg_id = excluded.leg_id, parent_hedge_id = excluded.parent_hedge_id,
    level = excluded.level, ordinal = excluded.ordinal, symbol = excluded.symbol, side = excluded.side,
    needed_qty = excluded.needed_qty, filled_qty = excluded.filled_qty, status = excluded.status,
    "trigger" = excluded."trigger", opened_ns = excluded.opened_ns, deadline_ns = excluded.deadline_ns,
    closed_ns = excluded.closed_ns;

-- name: upsert_stop_tracking
INSERT INTO stop_tracking (
    stop_id, group_id, leg_id, ordinal, symbol, side, quantity, filled_qty, trigger_price, limit_price, status,
    armed_ns, triggered_ns, closed_ns, trigger_on, unprotected_ns, blind_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stop_id) DO UPDATE SET
    group_id = excluded.group_id, leg_id = excluded.leg_id, ordinal = excluded.ordinal, symbol = excluded.symbol,
    side = excluded.side, quantity = excluded.quantity, filled_qty = excluded.filled_qty,
    trigger_price = excluded.trigger_price, limit_price = excluded.limit_price, status = excluded.status,
    armed_ns = excluded.armed_ns, triggered_ns = excluded.triggered_ns, closed_ns = excluded.closed_ns,
    trigger_on = excluded.trigger_on, unprotected_ns = excluded.unprotected_ns, blind_ns = excluded.blind_ns;

-- name: upsert_group_stops
INSERT INTO group_stops (
    group_id, max_loss, judged_on, status, loss, armed_ns, blind_ns, triggered_ns, closed_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET
    max_loss = excluded.max_loss, judged_on = excluded.judged_on, status = excluded.status, loss = excluded.loss,
    armed_ns = excluded.armed_ns, blind_ns = excluded.blind_ns, triggered_ns = excluded.triggered_ns,
    closed_ns = excluded.closed_ns;

-- name: upsert_stop_windows
INSERT INTO stop_windows (
    stop_id, opened_ns, group_id, symbol, quantity, closed_ns
)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (stop_id, opened_ns) DO UPDATE SET
    group_id = excluded.group_id, symbol = excluded.symbol, quantity = excluded.quantity,
    closed_ns = excluded.closed_ns;

-- name: upsert_exposures
INSERT INTO exposures (
    group_id, opened_ns, symbol, quantity, covered_ns
)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (group_id, opened_ns) DO UPDATE SET
    symbol = excluded.symbol, quantity = excluded.quantity, covered_ns = excluded.covered_ns;

-- name: upsert_position_events
INSERT INTO position_events (
    event_id, group_id, leg_id, symbol, quantity, kind, evidence, activity_id, price, ts_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (event_id) DO UPDATE SET
    group_id = excluded.group_id, leg_id = excluded.leg_id, symbol = excluded.symbol, quantity = excluded.quantity,
    kind = excluded.kind, evidence = excluded.evidence, activity_id = excluded.activity_id, price = excluded.price,
    ts_ns = excluded.ts_ns;

-- name: upsert_rejected_events
INSERT INTO rejected_events (
    event_id, group_id, client_order_id, "current", incoming, reason, payload, ts_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (event_id, group_id, client_order_id) DO UPDATE SET
    "current" = excluded."current", incoming = excluded.incoming, reason = excluded.reason,
    payload = excluded.payload, ts_ns = excluded.ts_ns;

-- name: upsert_escalations
INSERT INTO escalations (
    escalation_id, group_id, severity, kind, symbol, quantity, text, raised_ns, repeats, delivered_ns,
    acknowledged_ns, acknowledged_by
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (escalation_id) DO UPDATE SET
    group_id = excluded.group_id, severity = excluded.severity, kind = excluded.kind, symbol = excluded.symbol,
    quantity = excluded.quantity, text = excluded.text, raised_ns = excluded.raised_ns, repeats = excluded.repeats,
    delivered_ns = excluded.delivered_ns, acknowledged_ns = excluded.acknowledged_ns,
    acknowledged_by = excluded.acknowledged_by;

-- name: upsert_control_decisions
INSERT INTO control_decisions (
    subject, control, "action", group_id, symbol, quantity, amount, text, by, at_ns, until_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (subject) DO UPDATE SET
    control = excluded.control, "action" = excluded."action", group_id = excluded.group_id, symbol = excluded.symbol,
    quantity = excluded.quantity, amount = excluded.amount, text = excluded.text, by = excluded.by,
    at_ns = excluded.at_ns, until_ns = excluded.until_ns;

-- name: upsert_processed_events
INSERT INTO processed_events (
    event_id, kind, group_id, ts_ns
)
VALUES (?, ?, ?, ?)
ON CONFLICT (event_id) DO UPDATE SET
    kind = excluded.kind, group_id = excluded.group_id, ts_ns = excluded.ts_ns;

-- name: upsert_strategies
INSERT INTO strategies (
    name, cell, kind, underlying, status, standing, reason, group_id, number, adjustments, rolled_from, beyond_strike,
    tries, next_try_ns, verticals, realised, crashes, rules, created_ns, updated_ns, term
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    cell = excluded.cell, kind = excluded.kind, underlying = excluded.underlying, status = excluded.status,
    standing = excluded.standing, reason = excluded.reason, group_id = excluded.group_id, number = excluded.number,
    adjustments = excluded.adjustments, rolled_from = excluded.rolled_from, beyond_strike = excluded.beyond_strike,
    tries = excluded.tries, next_try_ns = excluded.next_try_ns, verticals = excluded.verticals,
    realised = excluded.realised, crashes = excluded.crashes, rules = excluded.rules,
    created_ns = excluded.created_ns, updated_ns = excluded.updated_ns, term = excluded.term;

-- name: upsert_verticals
INSERT INTO verticals (
    group_id, strategy, kind, underlying, expiry, short_symbol, long_symbol, short_strike, long_strike, quantity,
    multiplier, entry_spot, credit, net, max_profit, max_loss, breakeven, rolled_from, exit, exit_reason, closings,
    realised, decided_ns, entered_ns, exit_ns, closed_ns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET
    strategy = excluded.strategy, kind = excluded.kind, underlying = excluded.underlying, expiry = excluded.expiry,
    short_symbol = excluded.short_symbol, long_symbol = excluded.long_symbol, short_strike = excluded.short_strike,
    long_strike = excluded.long_strike, quantity = excluded.quantity, multiplier = excluded.multiplier,
    entry_spot = excluded.entry_spot, credit = excluded.credit, net = excluded.net, max_profit = excluded.max_profit,
    max_loss = excluded.max_loss, breakeven = excluded.breakeven, rolled_from = excluded.rolled_from,
    exit = excluded.exit, exit_reason = excluded.exit_reason, closings = excluded.closings,
    realised = excluded.realised, decided_ns = excluded.decided_ns, entered_ns = excluded.entered_ns,
    exit_ns = excluded.exit_ns, closed_ns = excluded.closed_ns;

-- name: select_order_groups
SELECT * FROM order_groups;

-- name: select_legs
SELECT * FROM legs;

-- name: select_order_intents
SELECT * FROM order_intents;

-- name: select_execution_states
SELECT * FROM execution_states;

-- name: select_executions
SELECT * FROM executions;

-- name: select_hedge_tracking
SELECT * FROM hedge_tracking;

-- name: select_stop_tracking
SELECT * FROM stop_tracking;

-- name: select_group_stops
SELECT * FROM group_stops;

-- name: select_stop_windows
SELECT * FROM stop_windows;

-- name: select_exposures
SELECT * FROM exposures;

-- name: select_position_events
SELECT * FROM position_events;

-- name: select_rejected_events
SELECT * FROM rejected_events;

-- name: select_escalations
SELECT * FROM escalations;

-- name: select_control_decisions
SELECT * FROM control_decisions;

-- name: select_processed_events
SELECT * FROM processed_events;

-- name: select_strategies
SELECT * FROM strategies ORDER BY name;

-- name: select_verticals
SELECT * FROM verticals ORDER BY decided_ns, group_id;
