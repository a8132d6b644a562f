"""What a span says of what was done."""

from collections.abc import Mapping

Facts = Mapping[str, str | int]
NO_FACTS: Facts = {}
