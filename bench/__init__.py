"""Interleaved, paired benchmark of OCI runtimes: ``python3 -m bench --help``."""
