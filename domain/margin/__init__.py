"""What a group may cost: by strategy, by scenario, and at worst on the way to being filled.  Amounts, never orders."""
