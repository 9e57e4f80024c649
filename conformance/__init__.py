"""Suites that run against any OCI runtime, and the guests that they run in."""
