"""What prober and roster share."""

from lbaas.health.checks import Check
from lbaas.health.verdicts import Standing


class Watch:
    """A check, what is held of its member, and whether it is still wanted.

    Once it has begun, the prober's thread alone writes *standing*, and *asking*, true while a probe is under
    way; *gone* is its owner's.
    """

    __slots__ = ("asking", "check", "fall", "gone", "interval_s", "rise", "standing", "timeout_s")

    def __init__(self, check: Check, standing: Standing) -> None:
        self.check = check
        self.standing = standing
        self.asking = False
        self.gone = False
        self.interval_s = check.monitor.interval_ms / 1000
        self.timeout_s = check.monitor.timeout_ms / 1000
        self.rise, self.fall = check.monitor.rise, check.monitor.fall
