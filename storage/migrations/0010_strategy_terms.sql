-- 0010: which realm enters a strategy's next vertical.

-- Even terms are live, odd ones paper; what was before the first change of hands is term 0.
ALTER TABLE strategies ADD COLUMN term INTEGER NOT NULL DEFAULT 0;
