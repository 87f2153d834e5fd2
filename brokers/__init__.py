"""The door: what a gateway needs of any broker, the capability declaration, and one folder per broker."""
