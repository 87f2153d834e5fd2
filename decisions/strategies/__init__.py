"""Verticals that enter, watch, roll and close by themselves."""
