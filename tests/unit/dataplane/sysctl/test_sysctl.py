"""The law of the settings' plan, and files as settings."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.sysctl.apply import apply
from lbaas.dataplane.sysctl.desired import tunnel_sysctls
from lbaas.dataplane.sysctl.files import path_of
from lbaas.dataplane.sysctl.observe import observe
from lbaas.dataplane.sysctl.plan import SetSysctl, plan

names = st.sampled_from(["net.ipv4.a", "net.ipv4.b", "net.ipv4.c"])
values = st.sampled_from(["0", "1", "2"])


@given(observed=st.dictionaries(names, st.none() | values), desired=st.dictionaries(names, values))
def test_carrying_out_the_plan_gives_the_desired_settings_and_leaves_others(
    observed: dict[str, str | None], desired: dict[str, str]
) -> None:
    steps = plan(observed, desired)
    result = observed | {step.name: step.value for step in steps.establish}
    assert result == observed | desired
    assert steps.withdraw == ()
    assert all(observed.get(step.name) != step.value for step in steps.establish)


@given(settings=st.dictionaries(names, values))
def test_settings_need_no_steps_to_become_themselves(settings: dict[str, str]) -> None:
    assert len(plan({**settings}, settings)) == 0


def test_what_was_written_is_observed(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "here").write_text("0\n")
    outcome = apply([SetSysctl("net.here", "1"), SetSysctl("net.absent.x", "1")], tmp_path)
    assert outcome.applied == (SetSysctl("net.here", "1"),)
    assert [(step.name, error.cause) for step, error in outcome.failed] == [
        ("net.absent.x", "No such file or directory")
    ]
    assert observe(["net.here", "net.absent.x"], tmp_path) == {
        "net.here": "1",
        "net.absent.x": None,
    }


def test_a_slash_in_a_name_is_a_dot_in_the_file() -> None:
    assert path_of("net.ipv4.conf.eth0/7.rp_filter", Path("/p")) == Path(
        "/p/net/ipv4/conf/eth0.7/rp_filter"
    )


def test_only_tunnel_devices_get_a_loose_reverse_path_filter() -> None:
    assert tunnel_sysctls(["lbtun4"]) == {"net.ipv4.conf.lbtun4.rp_filter": "2"}
