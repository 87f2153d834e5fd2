"""One order: what is known of it, how it is priced, worked, changed, read back and recovered."""
