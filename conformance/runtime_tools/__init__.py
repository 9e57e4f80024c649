"""Runs the validation programs of opencontainers/runtime-tools on a runtime."""
