"""Planted bugs: what a test, or the simulator, must notice (M3)."""
