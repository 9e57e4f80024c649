"""What is kept of a container between two commands."""
