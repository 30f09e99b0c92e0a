"""Freed memory is overwritten at once, so that a picture, a sound or a word does not stay in the heap after its use.

glibc fills what is freed with a byte where mallopt(M_PERTURB) asks for it. Larger arrays get mappings of their own,
which the kernel takes back, and zeroes, when they are freed. Python's small objects come from the same heap only where
PYTHONMALLOC=malloc is set before the process starts (the box's systemd unit).
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_M_PERTURB = -6
_FILL = 0x5A
_MAPPED_FROM_BYTES = 128 * 1024


def scrub_freed_memory() -> bool:
    """Ask the C library for it, once, early in the process; false where it is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    # setting the threshold also stops glibc from raising it, after which large arrays would stay in the heap
    return bool(mallopt(_M_PERTURB, _FILL)) and bool(mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES))
