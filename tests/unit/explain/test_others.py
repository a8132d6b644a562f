"""What rules of others may do to our packets."""

from lbaas.explain.others import droppers, mark_setters

INPUT = frozenset({"input"})


def table(hook: str, priority: int, *rules: str, policy: str = "accept") -> str:
    head = f"\t\ttype filter hook {hook} priority {priority}; policy {policy};\n"
    return "\tchain base {\n" + head + "".join(f"\t\t{rule}\n" for rule in rules) + "\t}\n"


def test_only_marks_that_are_set_after_ours_matter() -> None:
    rule = "ip daddr 198.51.100.7 meta mark set 0x7"
    early, late = table("prerouting", -150, rule), table("prerouting", -100, rule)
    assert list(mark_setters({"ip early": early})) == []
    assert list(mark_setters({"ip late": late})) == [f"table ip late chain base: {rule}"]
    assert len(list(mark_setters({"ip in": table("input", -200, rule)}))) == 1
    assert list(mark_setters({"ip out": table("output", 0, rule)})) == []


def test_what_drops_is_found_where_packets_come_by() -> None:
    assert list(droppers({"ip f": table("input", 0, policy="drop")}, INPUT)) == [
        "table ip f chain base: policy drop"
    ]
    assert len(list(droppers({"ip f": table("input", 0, "tcp dport 22 reject")}, INPUT))) == 1
    assert list(droppers({"ip f": table("forward", 0, "drop", policy="drop")}, INPUT)) == []


def test_rules_are_followed_into_chains_that_are_jumped_to_even_in_circles() -> None:
    other = "\tchain other {\n\t\tct state invalid drop\n\t\tjump other\n\t}\n"
    text = table("input", 0, "jump other") + other
    assert list(droppers({"ip f": text}, INPUT)) == ["table ip f chain base: ct state invalid drop"]
    assert list(droppers({"ip f": other}, INPUT)) == []


def test_a_table_that_is_dormant_does_nothing() -> None:
    text = "\tflags dormant\n\n" + table("input", 0, policy="drop")
    assert list(droppers({"ip f": text}, INPUT)) == []
