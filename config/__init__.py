"""Configuration: one TOML file plus environment, validated, every default written down here."""
