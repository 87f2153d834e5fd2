"""The account at its one door: controls, lanes, ledger, sessions, limits and the trading state."""
