"""pyoci: a low-level OCI container runtime in pure Python.

Imports nothing: whoever imports one module of ours pays for that module only.
"""

__version__ = "0.1.0"
