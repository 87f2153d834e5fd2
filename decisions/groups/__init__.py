"""One order group: validation, margin, levels, legs, hedges, stop-losses and what they add up to."""
