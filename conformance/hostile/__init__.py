"""Compares what runtimes make of tests/hostile with what is on record."""
