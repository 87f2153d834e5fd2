"""The memory: a port, the aiosqlite journal behind it, and an in-memory twin that passes the same tests."""
