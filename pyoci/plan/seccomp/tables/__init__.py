"""The numbers of system calls, a module per table: written by packaging/seccomp_tables.py."""
