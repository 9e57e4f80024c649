"""Carries plans out. No function here exits, prints or keeps global state."""
