"""Decisions: (Spec, request, facts) -> steps as data. Pure."""
