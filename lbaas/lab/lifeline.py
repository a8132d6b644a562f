"""Processes that end with us, even if we are killed."""

import subprocess

# Reads until its input ends, which it does when we do; then kills the group. A dash takes "--" after "-s KILL" only.
WATCHER = 'read -r _; kill -s KILL -- "-$1"'


class Lifeline:
    """While this is held, the process group of *leader* dies when we do, however we die.

    Better than PR_SET_PDEATHSIG here: that is tied to a thread, and reaches one process only, where a
    User-Mode Linux kernel leaves others behind.
    """

    def __init__(self, leader: int) -> None:
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "lbaas-lifeline", str(leader)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal reaches us, not it
        )

    def release(self) -> None:
        """The group is on its own again, or has ended."""
        self._watcher.kill()
        self._watcher.communicate()
