"""A container's cgroup on the v2 tree."""
