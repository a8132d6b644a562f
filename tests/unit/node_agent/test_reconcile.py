"""A node's rounds, on a kernel that is three tables and a BIRD that does not run."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from lbaas.agent.rounds import Round, Subsystem, begin
from lbaas.dataplane.ipvs.desired import ServiceKey, ServiceTable
from lbaas.dataplane.ipvs.plan import CreateService
from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.steps import Outcome
from lbaas.errors import StepFailed
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.kernel import Kernel
from lbaas.node_agent.picture import Change, Picture, services
from lbaas.node_agent.reconcile import Node
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Entries
from lbaas.wire.reading import ClusterParts
from lbaas.wire.report import NodeFacts
from lbaas.wire.state import ClusterState, MarkRange
from tests.unit.dataplane.ipvs.test_plan import carry_out
from tests.unit.node_agent.test_wanted import CLUSTER, many

AGENT = UUID(int=7)


class FakeKernel:
    """Holds *table*. *refused* services can't be made; while *blind* nothing can be looked at."""

    def __init__(self) -> None:
        self.table: ServiceTable = {}
        self.refused: set[ServiceKey] = set()
        self.blind = False
        self.looks = 0

    def whole(self, bare: ClusterState, wanted: Picture) -> Round:
        del bare
        return begin([self._subsystem(self._look, lambda: services(wanted))])

    def part(self, bare: ClusterState, change: Change) -> Round:
        del bare
        return begin(
            [self._subsystem(lambda: services(change.before), lambda: services(change.after))]
        )

    def facts(self, bare: ClusterState, wanted: Picture) -> NodeFacts:
        del wanted
        return NodeFacts(revision=bare.revision, services=len(self.table))

    def forget(self) -> None:
        pass

    def ingress(self, marks: MarkRange) -> int:
        del marks
        return 7

    def _look(self) -> ServiceTable:
        self.looks += 1
        if self.blind:
            raise OSError("no buffer space")
        return dict(self.table)

    def _subsystem(
        self, observed: Callable[[], ServiceTable], desired: Callable[[], ServiceTable]
    ) -> Subsystem:
        return Subsystem("ipvs", lambda: plan_ipvs(observed(), desired()), self._apply)

    def _apply(self, steps: Sequence[Any]) -> Outcome[Any]:
        applied, failed = [], []
        for step in steps:
            if step.service in self.refused:
                failed.append((step, StepFailed("ipvs", type(step).__name__, step.key, "refused")))
            else:
                self.table = carry_out(self.table, (step,))
                applied.append(step)
        return Outcome(tuple(applied), tuple(failed))


class Running:
    """A node on a fake kernel. Its audits run when the test waits for one."""

    def __init__(self, directory: Path, cycle_s: float) -> None:
        self.kernel = FakeKernel()
        paths = BirdPaths(directory / "bird.ctl", directory / "lbaas.conf")
        self.node = Node(paths, cycle_s=cycle_s, kernel=cast("type[Kernel]", lambda: self.kernel))
        self._audited = threading.Event()
        self.node.wake_with(self._audited.set)

    def turn(self, vips: dict[str, Any], revision: int = 1, **settings: object) -> Round:
        node = {"name": "lb1", "admin_state": "active", **settings}
        values = {"cluster": CLUSTER, f"node/{AGENT}": node, **vips}
        entries = Entries.of({key: canonical_json(value) for key, value in values.items()})
        return self.node.reconcile(ClusterParts.read(entries, revision), AGENT)

    def audit(self, vips: dict[str, Any], revision: int = 1, **settings: object) -> Round:
        """The round that follows the look under way."""
        assert self._audited.wait(60)
        self._audited.clear()
        return self.turn(vips, revision, **settings)


@pytest.fixture
def quiet(tmp_path: Path) -> Running:
    """A node that looks once, at its start."""
    return Running(tmp_path, cycle_s=3600)


@pytest.fixture
def auditing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A node that looks all the time, also while something stands: here BIRD always does."""
    monkeypatch.setattr("lbaas.node_agent.reconcile._RETRY_S", 0)
    return Running(tmp_path, cycle_s=0)


def of_ipvs(round_: Round) -> list[str]:
    return [each.error.key for each in round_.failures if each.error.subsystem == "ipvs"]


def test_a_restarted_node_finds_what_it_wants_and_writes_nothing_there(quiet: Running) -> None:
    quiet.turn(many(range(3)))
    again = Node(
        BirdPaths(Path("/nowhere/bird.ctl"), Path("/nowhere/lbaas.conf")),
        kernel=cast("type[Kernel]", lambda: quiet.kernel),
    )
    quiet.node = again
    assert quiet.turn(many(range(3))).changes == 0


def test_a_change_is_applied_without_a_look(quiet: Running) -> None:
    quiet.turn(many(range(3)))
    looks = quiet.kernel.looks
    round_ = quiet.turn(many(range(4)), 2)
    assert round_.expected
    assert len(quiet.kernel.table) == 4
    assert quiet.kernel.looks == looks


def test_drift_is_found_by_the_next_audit_and_counts_as_such(auditing: Running) -> None:
    auditing.turn(many(range(3)))
    wanted = dict(auditing.kernel.table)
    auditing.audit(many(range(3)))
    auditing.kernel.table.clear()
    for _ in range(2):  # one look may have begun before
        round_ = auditing.audit(many(range(3)))
        assert not round_.expected
    assert auditing.kernel.table == wanted


def test_a_torn_table_is_mended_before_the_next_audit(quiet: Running) -> None:
    quiet.turn(many(range(3)))
    wanted = dict(quiet.kernel.table)
    quiet.kernel.table.clear()
    quiet.node.mend()
    round_ = quiet.turn(many(range(3)))
    assert not round_.expected
    assert quiet.kernel.table == wanted
    assert quiet.turn(many(range(3))).changes == 0


def test_what_failed_stands_until_an_audit_finds_it_mended(auditing: Running) -> None:
    auditing.turn(many(range(2)))
    new = ServiceKey(4, 0x102)
    auditing.kernel.refused = {new}
    assert set(of_ipvs(auditing.turn(many(range(3)), 2))) == {str(new)}
    assert set(of_ipvs(auditing.audit(many(range(3)), 2))) == {str(new)}
    auditing.kernel.refused = set()
    rounds = [auditing.audit(many(range(3)), 2) for _ in range(3)]
    assert of_ipvs(rounds[-1]) == []
    assert new in auditing.kernel.table


def test_a_kernel_that_cannot_be_looked_at_is_told_of_and_left_alone(auditing: Running) -> None:
    auditing.turn(many(range(2)))
    before = dict(auditing.kernel.table)
    auditing.kernel.blind = True
    rounds = [auditing.audit(many(range(2))) for _ in range(2)]
    assert of_ipvs(rounds[-1]) == ["*"]
    assert auditing.kernel.table == before
    auditing.kernel.blind = False
    assert of_ipvs([auditing.audit(many(range(2))) for _ in range(2)][-1]) == []


def test_what_is_in_the_kernel_at_the_start_does_not_all_go_at_once(quiet: Running) -> None:
    quiet.turn(many(range(30)))
    started = Running(Path("/nowhere"), cycle_s=3600)
    started.kernel.table = dict(quiet.kernel.table)
    round_ = started.turn(many(range(5)), 9)
    assert len(started.kernel.table) == 30
    assert [each.error.subsystem for each in round_.failures].count("removal") == 1
    held = started.node.facts().held_removal
    assert held is not None
    assert (held.revision, held.services, held.of) == (9, 25, 30)
    started.turn(many(range(5)), 10, removal_confirmed=9)
    assert len(started.kernel.table) == 5
    assert started.node.facts().held_removal is None


def test_a_state_without_this_node_changes_nothing(quiet: Running) -> None:
    quiet.turn(many(range(2)))
    parts = ClusterParts.read(Entries.of({"cluster": canonical_json(CLUSTER)}), 2)
    round_ = quiet.node.reconcile(parts, AGENT)
    assert [each.error.operation for each in round_.failures] == ["read"]
    assert len(quiet.kernel.table) == 2


def test_the_look_of_another_settings_of_the_cluster_is_at_everything(quiet: Running) -> None:
    quiet.turn(many(range(2)))
    quiet.kernel.table.clear()
    round_ = quiet.turn(many(range(2)), 2, admin_state="drained")
    assert len(quiet.kernel.table) == 2
    assert not any(isinstance(each.step, CreateService) for each in round_.failures)


def test_a_node_that_was_taken_out_may_be_stopped_once_nothing_comes(
    auditing: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbaas.node_agent.quiet.QUIET_S", 0.0)
    vips = many(range(1))
    auditing.turn(vips)
    auditing.audit(vips)
    assert not auditing.node.facts().safe_to_stop
    auditing.turn(vips, admin_state="maintenance")
    for _ in range(2):  # one look may have begun before
        auditing.audit(vips, admin_state="maintenance")
    assert auditing.node.facts().safe_to_stop
    auditing.turn(vips)
    auditing.turn(vips, admin_state="maintenance")
    assert not auditing.node.facts().safe_to_stop  # before it has looked anew
