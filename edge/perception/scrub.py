"""Freed memory is overwritten at once, so that a picture, a sound or a word does not stay in the heap after its use.

glibc fills what is freed with a byte where mallopt(M_PERTURB) asks for it. Arrays of 32 MiB and more get mappings of
their own, which the kernel takes back, and zeroes, when they are freed; for smaller ones that would cost a picture a
millisecond of faults of pages, so these stay in the heap, which is not given back either. What is small enough for a
thread's own cache (1,032 bytes: a sentence, a word) is put there without being filled, and Python's small objects come
from pools of its own: both are ways around the heap that only the environment of a process can close, before it starts
(`ENVIRONMENT`).
The last eight bytes of a piece may stay: glibc counts them to the next one.

Source: glibc's manual, "Malloc Tunable Parameters" and "Memory Allocation Tunables"; `_int_free` in malloc/malloc.c,
where a chunk goes to the thread's cache before `free_perturb` is reached.
"""

from __future__ import annotations

import ctypes
import os

ENVIRONMENT = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}
"""What a process that sees citizens is started with: the box's unit, the demo's boxes, the audit of memory."""

LAST_BYTES = 8
"""Of a freed piece, which glibc does not fill."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_PERTURB = -6
_FILL = 0x5A
_MAPPED_FROM_BYTES = 32 * 1024 * 1024
"""The largest that glibc takes: its heaps of threads hold twice that."""
_KEPT_BYTES = 256 * 1024 * 1024
"""At the end of a heap, before it is given back."""
_SMALL_BYTES = 256
"""A sentence of sixty letters at four bytes a letter."""


def scrub_freed_memory() -> bool:
    """Ask the C library for it, once, early in the process; false where small memory is not overwritten all the same:
    another C library than glibc, or a process that was started without `ENVIRONMENT`."""
    try:
        library = ctypes.CDLL(None)
        mallopt = library.mallopt
    except (AttributeError, OSError):
        return False
    asked = bool(mallopt(_M_PERTURB, _FILL)) and bool(mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES))
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    python_too = os.environ.get("PYTHONMALLOC") == ENVIRONMENT["PYTHONMALLOC"]
    return asked and python_too and bytes_left(_SMALL_BYTES) <= LAST_BYTES


def bytes_left(size: int) -> int:
    """How many bytes of a freed piece of the heap, of `size` bytes (at least 64), still hold what was written there;
    the first 32, where the allocator keeps its own lists, are not counted."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    # made before the piece is freed, so that the look at it takes nothing from the heap
    seen = ctypes.create_string_buffer(size)
    address = library.malloc(size)
    ctypes.memset(address, 0xA7, size)
    library.free(address)
    ctypes.memmove(seen, address, size)
    return seen.raw[32:].count(0xA7)
