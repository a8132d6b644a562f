"""What rules of others do to our packets."""

from dataclasses import replace
from ipaddress import ip_address

from lbaas.explain.others import (
    INCOMING,
    OUTGOING,
    Finding,
    described,
    droppers,
    mark_setters,
)
from lbaas.explain.packets import UNTRACKED, Packet

SYN = Packet(
    "a SYN", ip_address("192.0.2.7"), ip_address("198.51.100.7"), 6, UNTRACKED, 4, 40000, 80
)
UNREAD = "ip dscp 0x08"  # a condition that nobody reads here


def table(hook: str, priority: int, *rules: str, policy: str = "accept") -> str:
    head = f"\t\ttype filter hook {hook} priority {priority}; policy {policy};\n"
    return "\tchain base {\n" + head + "".join(f"\t\t{rule}\n" for rule in rules) + "\t}\n"


def dropped(*rules: str, policy: str = "accept", more: str = "") -> dict[str, bool]:
    """What drops, at the input hook, and whether it surely does."""
    text = table("input", 0, *rules, policy=policy) + more
    found = droppers({"ip f": text}, SYN, INCOMING)
    return {each.what.removeprefix("table ip f chain base: "): each.certain for each in found}


def test_only_marks_that_are_set_after_ours_matter() -> None:
    rule = "ip daddr 198.51.100.7 meta mark set 0x7"

    def setting(hook: str, priority: int, rule: str = rule) -> list[bool]:
        tables = {"ip t": table(hook, priority, rule)}
        return [each.certain for each in mark_setters(tables, SYN)]

    assert setting("prerouting", -150) == []
    assert setting("prerouting", -100) == [True]
    assert setting("input", -200) == [True]
    assert setting("output", 0) == []
    assert setting("prerouting", 0, f"{UNREAD} meta mark set 0x7") == [False]
    assert setting("prerouting", 0, "ip daddr 198.51.100.8 meta mark set 0x7") == []


def test_a_policy_drops_what_no_rule_accepted() -> None:
    assert dropped(policy="drop") == {"policy drop": True}
    assert dropped("ct state established,related accept", policy="drop") == {"policy drop": True}
    assert dropped("tcp dport { 22, 80 } accept", policy="drop") == {}
    assert dropped(f"{UNREAD} accept", policy="drop") == {"policy drop": False}
    assert dropped('iifname "lo" accept', policy="drop") == {"policy drop": True}
    assert dropped('iifname "eth0" accept', policy="drop") == {"policy drop": False}


def test_a_rule_drops_what_it_matches_and_nothing_that_was_accepted_before() -> None:
    assert dropped("tcp dport 80 counter drop") == {"tcp dport 80 counter drop": True}
    assert dropped("tcp dport 22 drop", "udp dport 80 drop", "ct state invalid drop") == {}
    assert dropped("accept", "drop") == {}
    assert dropped(f"{UNREAD} accept", "drop") == {"drop": False}
    assert dropped(f"{UNREAD} reject") == {f"{UNREAD} reject": False}
    assert dropped("ip saddr @allowed accept", "drop") == {"drop": False}


def test_rules_are_followed_into_chains_and_back() -> None:
    other = "\tchain other {\n\t\tip saddr 192.0.2.0/24 return\n\t\tdrop\n\t}\n"
    assert dropped("jump other", more=other) == {}
    assert dropped("ip protocol 6 jump other", "drop", more=other) == {"drop": True}
    deny = "\tchain deny {\n\t\tdrop\n\t}\n"
    assert dropped("tcp dport 80 goto deny", "accept", more=deny) == {"drop": True}
    assert dropped(f"{UNREAD} jump deny", "accept", more=deny) == {"drop": False}
    assert dropped("tcp dport 22 jump deny", more=deny) == {}
    allow = "\tchain allow {\n\t\taccept\n\t}\n"
    assert dropped("jump allow", policy="drop", more=allow) == {}
    assert dropped(f"{UNREAD} jump allow", policy="drop", more=allow) == {"policy drop": False}


def test_other_hooks_and_dormant_tables_do_nothing() -> None:
    text = table("input", 0, policy="drop")
    assert list(droppers({"ip f": text}, SYN, OUTGOING)) == []
    assert list(droppers({"ip f": "\tflags dormant\n\n" + text}, SYN, INCOMING)) == []


def test_a_packet_of_which_not_all_is_known_may_be_dropped() -> None:
    tables = {"ip f": table("input", 0, "ip saddr 10.0.0.0/8 drop")}
    someone = replace(SYN, source=None)
    assert [each.certain for each in droppers(tables, someone, INCOMING)] == [False]


def test_what_is_sure_is_told_first_and_once() -> None:
    found = [Finding("b", certain=False), Finding("c", certain=True), Finding("c", certain=False)]
    assert described(found) == ("c; b", True)
    assert described([]) == ("", False)
