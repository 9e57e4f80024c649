"""What the kernel offers, nothing of containers; the only place with ctypes."""
