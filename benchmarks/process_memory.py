"""What a process takes of the memory, as Linux reports it."""

import pathlib

# What it takes now, and the most that it has taken. `resource.getrusage` counts the process that started it too.
RESIDENT, PEAK = "VmRSS", "VmHWM"


def memory(kind, process="self"):
    """Bytes of memory.

    Args:
        kind: `RESIDENT` or `PEAK`.
        process: The number of the process; by default this one.
    """
    status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return 1024 * int(status.split(f"{kind}:")[1].split()[0])


def forget_peak():
    """Begins anew: from now on `PEAK` is the most that this process has taken since."""
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
