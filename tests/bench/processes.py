"""What a process has used, as the kernel says."""

from pathlib import Path


def cpu_s(process: int) -> float:
    """Of all its threads; to the nanosecond, where /proc/PID/stat counts hundredths of a second."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


def rss_kib(process: int) -> int:
    """Its resident memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
