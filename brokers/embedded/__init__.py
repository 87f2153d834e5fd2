"""The embedded exchange as a broker."""
