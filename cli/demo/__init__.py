"""``demo``: the main job before your eyes, with processes killed under it."""
