"""Reads the machine; changes nothing."""
