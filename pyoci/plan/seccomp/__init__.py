"""linux.seccomp compiled to a filter that the kernel takes: words and numbers in, bytes out.

``profile.py`` reads the profile's words, ``arches.py`` knows the architectures,
``decide.py`` works out what happens to which system call number, ``codegen.py``
turns that into instructions with the assembler ``bpf.py``, and ``compile.py``
is the way in. Installing the filter is ``pyoci/linux/seccomp.py``.
"""
