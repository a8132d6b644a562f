"""What the audience sees: a line for each step with the time it took, and pictures between them."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text


class Stage:
    """Steps follow each other; on a terminal the present one has a spinner and a running clock.

    Elsewhere a step is one plain line when it ends. As a context manager it ends the last step, as a
    failed or stopped one if an exception passes.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = ""
        self._begun = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._end(Text("stopped", style="yellow"))
        elif error:
            self._end(Text(" failed", style="bold red"))
        self.done()

    def step(self, what: str) -> None:
        """The step before is done; *what* has begun."""
        self.done()
        self._step, self._begun = what, time.monotonic()
        if self._console.is_terminal:
            self._live = Live(get_renderable=_Ticking(what), console=self._console, transient=True)
            self._live.start()

    def done(self) -> None:
        """The present step, if there is one, is done."""
        self._end(Text("   done", style="green"))

    def show(self, picture: RenderableType) -> None:
        """The present step is done; *picture* is what came of it."""
        self.done()
        self._console.print(picture)
        self._console.print()

    def say(self, lines: str) -> None:
        """The present step is done; *lines* are printed as they are, to be copied."""
        self.done()
        self._console.print(lines, soft_wrap=True)

    def _end(self, how: Text) -> None:
        if self._live:
            self._live.stop()
            self._live = None
        if self._step:
            elapsed_s = time.monotonic() - self._begun
            self._console.print(
                Text.assemble(how, f" {elapsed_s:5.1f} s  ", self._step), soft_wrap=True
            )
            self._step = ""


class _Ticking:
    """Draws the present step anew each time it is asked to."""

    def __init__(self, what: str) -> None:
        self._begun = time.monotonic()
        self._spinner = Spinner("dots")
        self._what = what

    def __call__(self) -> Spinner:
        elapsed_s = time.monotonic() - self._begun
        self._spinner.update(text=Text(f"      {elapsed_s:5.1f} s  {self._what}"))
        return self._spinner
