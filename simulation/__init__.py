"""The seeded world: the real actors, journals and exchange in one process, under one tape of choices."""
