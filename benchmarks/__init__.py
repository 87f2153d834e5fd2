"""How fast legkeeper is, beside programs that do the same work with less (docs/benchmarks.md)."""
