-- 0002: views for people.  The program never reads them.

-- Every order with its times as UTC text and what it filled.
CREATE VIEW readable_orders AS
SELECT
    i.group_id, i.client_order_id, i.role, i.side, i.quantity, i.symbol, i.order_type, i.price, i.trigger_price,
    i.status, s.ord_status, coalesce(s.cum_qty, 0) AS cum_qty, s.avg_px, i.broker_order_id, i.epoch, i.reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(i.decided_ns, 0) / 1e9, 'unixepoch') AS decided,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(i.sent_ns, 0) / 1e9, 'unixepoch') AS sent,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(i.acknowledged_ns, 0) / 1e9, 'unixepoch') AS acknowledged,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(i.terminal_ns, 0) / 1e9, 'unixepoch') AS terminal
FROM order_intents AS i
LEFT JOIN execution_states AS s USING (client_order_id);

CREATE VIEW readable_executions AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', ts_ns / 1e9, 'unixepoch') AS at,
    group_id, client_order_id, exec_id, exec_type, exec_ref_id, side, last_qty, symbol, last_px
FROM executions;

CREATE VIEW readable_hedges AS
SELECT
    group_id, hedge_id, parent_hedge_id, level, side, needed_qty, filled_qty, symbol, status, "trigger",
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(opened_ns, 0) / 1e9, 'unixepoch') AS opened,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(deadline_ns, 0) / 1e9, 'unixepoch') AS deadline,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(closed_ns, 0) / 1e9, 'unixepoch') AS closed
FROM hedge_tracking;

CREATE VIEW readable_escalations AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', raised_ns / 1e9, 'unixepoch') AS raised,
    severity, kind, group_id, symbol, quantity, text, repeats,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(delivered_ns, 0) / 1e9, 'unixepoch') AS delivered,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(acknowledged_ns, 0) / 1e9, 'unixepoch') AS acknowledged,
    acknowledged_by
FROM escalations;

CREATE VIEW readable_turns AS
SELECT
    turn, epoch, strftime('%Y-%m-%dT%H:%M:%fZ', at_ns / 1e9, 'unixepoch') AS at,
    length(payload) AS payload_bytes, lower(hex(hash)) AS hash
FROM turns;
