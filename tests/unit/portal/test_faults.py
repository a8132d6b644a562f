from lbaas.client.api import ApiProblem
from lbaas.portal.faults import Faults, sorted_out


def refusal(*problems: dict[str, str], **other: str) -> ApiProblem:
    return ApiProblem(422, {"title": "No", "detail": "no", "problems": list(problems), **other})


def last_part(where: str) -> str | None:
    return where.rpartition("/")[2] if where.startswith("/") else None


def test_each_problem_stands_at_its_field_in_the_order_the_api_has_them() -> None:
    faults = sorted_out(
        refusal({"pointer": "/b", "detail": "bad"}, {"pointer": "/a", "detail": "worse"}), last_part
    )
    assert (faults["a"], faults["b"], faults["c"]) == ("worse", "bad", "")
    assert faults.first == "b"
    assert faults


def test_two_problems_of_one_field_are_both_told() -> None:
    faults = sorted_out(
        refusal({"pointer": "/x/a", "detail": "one"}, {"pointer": "/y/a", "detail": "two"}),
        last_part,
    )
    assert faults["a"] == "one; two"


def test_what_no_field_is_to_blame_for_is_told_above_the_form() -> None:
    faults = sorted_out(refusal({"pointer": "/x", "detail": "odd"}), lambda _: None)
    assert faults.general == ("/x: odd",)
    faults = sorted_out(refusal(type="/errors/quota-exceeded", detail="no more"), lambda _: None)
    assert faults.general == ("no more",)


def test_a_problem_without_a_field_can_have_a_place_by_its_type() -> None:
    taken = refusal(type="/errors/name-taken", detail="taken: choose another")
    assert sorted_out(taken, last_part)["name-taken"] == "taken: choose another"


def test_a_bad_parameter_is_told_by_its_name() -> None:
    bad = refusal({"parameter": "labels", "detail": "no selector"})
    assert sorted_out(bad, lambda where: where.removeprefix("?"))["labels"] == "no selector"


def test_no_fault_is_none() -> None:
    assert not Faults()
    assert Faults().first == ""
