"""Figures and their goals: printed as they come, judged at the end."""

import sys


class Figures:
    """Prints each figure on a line of its own and remembers whether a goal was missed."""

    def __init__(self) -> None:
        self._missed: list[str] = []

    def at_most(self, name: str, value: float, unit: str, goal: float) -> None:
        """The figure is good if it is *goal* or less."""
        self._print(name, value, unit, f"<= {goal:g}", good=value <= goal)

    def at_least(self, name: str, value: float, unit: str, goal: float) -> None:
        """The figure is good if it is *goal* or more."""
        self._print(name, value, unit, f">= {goal:g}", good=value >= goal)

    def shown(self, name: str, value: float, unit: str) -> None:
        """The figure has no goal: a peer's, or what others are measured against."""
        self._print(name, value, unit, "-", good=True)

    def finish(self) -> None:
        """The process ends, with status 1 if a goal was missed."""
        if self._missed:
            print(f"missed: {', '.join(self._missed)}", file=sys.stderr)
            sys.exit(1)

    def _print(self, name: str, value: float, unit: str, goal: str, *, good: bool) -> None:
        print(f"figure {name} {value:.4g} {unit} goal {goal}", flush=True)
        if not good:
            self._missed.append(name)
