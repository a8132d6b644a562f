"""Several servers in one DSN, each asked alone."""

import pytest

from lbaas.persistence.servers import each_alone


@pytest.mark.parametrize(
    ("dsn", "alone"),
    [
        ("postgresql:///lbaas", ["postgresql:///lbaas"]),
        ("postgresql://u:p@a:5433/lbaas?sslmode=require", None),
        ("postgresql://u@/lbaas?host=%2Frun%2Fpg", None),
        (
            "postgresql://u:p@a:5433,b,[fd00::1]:5434/lbaas?sslmode=require",
            [
                "postgresql://u:p@a:5433/lbaas?sslmode=require",
                "postgresql://u:p@b/lbaas?sslmode=require",
                "postgresql://u:p@[fd00::1]:5434/lbaas?sslmode=require",
            ],
        ),
        (
            "postgresql://u@/lbaas?host=%2Frun%2Fa,%2Frun%2Fb",
            ["postgresql://u@/lbaas?host=%2Frun%2Fa", "postgresql://u@/lbaas?host=%2Frun%2Fb"],
        ),
        (
            "postgresql://u@/lbaas?host=a,b&port=1,2&sslmode=require",
            [
                "postgresql://u@/lbaas?host=a&port=1&sslmode=require",
                "postgresql://u@/lbaas?host=b&port=2&sslmode=require",
            ],
        ),
    ],
)
def test_each_server_of_a_dsn_has_one_of_its_own(dsn: str, alone: list[str] | None) -> None:
    assert each_alone(dsn) == (alone or [dsn])
