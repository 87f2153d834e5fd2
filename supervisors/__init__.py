"""The parents: child specs as data, the tree as one list, restart budgets, and the lifeline of every process."""
