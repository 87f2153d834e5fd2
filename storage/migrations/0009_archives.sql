-- 0009: what was archived: the log may begin later than at turn 1, but only behind a whole copy of the journal.

-- One row per archiving.  The file is the whole journal as it was, verified; the turns up to `through_turn` are there
-- and nowhere else.  The log goes on with turns that state anew every row that was kept, so that the tables are its fold.
CREATE TABLE archives (
    through_turn INTEGER PRIMARY KEY CHECK (through_turn > 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),  -- of that turn: what the first turn of the log is bound to
    file TEXT NOT NULL,
    made_host_ns INTEGER NOT NULL  -- clock of this machine, for people; nothing is decided by it
) STRICT;

-- The groups whose rows went: their ids are taken for ever.
CREATE TABLE archived_groups (
    tag TEXT PRIMARY KEY,  -- group_tag(group_id)
    group_id TEXT NOT NULL,
    through_turn INTEGER NOT NULL REFERENCES archives (through_turn)
) STRICT, WITHOUT ROWID;

DROP TRIGGER turns_are_never_deleted;
CREATE TRIGGER turns_are_never_deleted BEFORE DELETE ON turns
WHEN old.turn > (SELECT coalesce(max(through_turn), 0) FROM archives)
BEGIN SELECT raise(ABORT, 'turns are never deleted'); END;
