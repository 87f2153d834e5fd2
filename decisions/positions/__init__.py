"""What the broker holds against what the journals say: comparison, classification, expiry."""
