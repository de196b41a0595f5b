"""Which files of a folder a function opens, as Linux reports it."""

import ctypes
import os
import struct

IN_OPEN = 0x20
_HEADER = struct.Struct("iIII")


def opened_files(folder, function):
    """Calls a function and returns the names of the files of a folder that were opened meanwhile, once for each time.

    Args:
        folder: The folder; what is in folders in it does not count.
        function: Takes no arguments.
    """
    system = ctypes.CDLL(None, use_errno=True)
    queue = system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if queue < 0 or system.inotify_add_watch(queue, os.fsencode(folder), IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {folder}")
        function()
        return list(_names(queue))
    finally:
        os.close(queue)


def _names(queue):
    while True:
        try:
            events = os.read(queue, 2**20)
        except BlockingIOError:
            return
        while events:
            *_, length = _HEADER.unpack_from(events)
            end = _HEADER.size + length
            yield os.fsdecode(events[_HEADER.size : end].rstrip(b"\0"))
            events = events[end:]
