"""Resources of a container on cgroup v2: linux.resources in, writes and a device program out."""
