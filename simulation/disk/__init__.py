"""The real SQLite journal on a disk that loses, tears and reorders what was not synced, and whose calls fail."""
