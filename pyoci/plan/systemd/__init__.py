"""The systemd driver's decisions: which unit, with which properties. Imported for it only."""
