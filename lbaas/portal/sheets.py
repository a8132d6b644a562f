"""Objects as forms: their fields, what was typed as the API's body, and the body as text. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lbaas.portal.typed import Json, number, number_or_none, words
from lbaas.portal.visits import Form

Options = Sequence[tuple[str, str]]


class Kind(StrEnum):
    """How a field is typed."""

    TEXT = "text"
    NUMBER = "number"
    LIMIT = "limit"  # a number, or nothing
    WORDS = "words"  # several, with commas
    SWITCH = "switch"
    CHOICE = "choice"
    SEVERAL = "several"  # of a choice; nothing is all of them
    SECRET = "secret"  # noqa: S105 - never shown, and kept if left empty
    DAY = "day"


@dataclass(frozen=True)
class Entry:
    """One field. *name* is its place in the body, with dots; what is *fixed* is said once and for all.

    *options* are what a choice is of, or the path of the API's list that has them.
    """

    name: str
    label: str
    kind: Kind = Kind.TEXT
    hint: str = ""
    placeholder: str = ""
    options: str | Options = ()
    fixed: bool = False
    begins: str = ""

    def value(self, form: Form) -> Any:
        """What was typed, as the API has it; nonsense goes there as it is, for the API to say what is wrong."""
        text = form.get(self.name, "")
        match self.kind:
            case Kind.NUMBER:
                return number(text)
            case Kind.LIMIT:
                return number_or_none(text)
            case Kind.WORDS:
                return words(text)
            case Kind.SWITCH:
                return self.name in form
            case Kind.SEVERAL:
                return form.getlist(self.name) or None
            case Kind.DAY:
                return f"{text}T23:59:59Z" if text else None
        return text

    def shown(self, one: Json) -> Any:
        """The field of *one*, as the form shows it."""
        value: Any = one
        for part in self.name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if self.kind is Kind.WORDS:
            return ", ".join(value or ())
        if self.kind in (Kind.SWITCH, Kind.SEVERAL):
            return value or ()
        return "" if value is None else str(value)


@dataclass(frozen=True)
class Sheet:
    """The form of one kind, at ``/portal/{path}``. *page* is where its objects are listed."""

    path: str
    name: str
    page: str
    what: str
    entries: tuple[Entry, ...]
    changeable: bool = True

    def body(self, form: Form, *, new: bool) -> Json:
        """The object as typed. What was left empty is the server's to choose, as long as it is new."""
        body: Json = {}
        for entry in self.entries:
            value = entry.value(form)
            left_out = value in (None, "", []) and (new or entry.kind is Kind.SECRET)
            if (entry.fixed and not new) or left_out:
                continue
            *outer, last = entry.name.split(".")
            place = body
            for part in outer:
                place = place.setdefault(part, {})
            place[last] = value
        return body

    def begun(self, form: Form) -> dict[str, Any]:
        """The fields of a new object, as far as *form* says them already."""
        return {
            entry.name: self._typed(entry, form) if entry.name in form else entry.begins
            for entry in self.entries
        }

    def typed(self, form: Form) -> dict[str, Any]:
        """The fields as they were typed, to be shown again."""
        return {entry.name: self._typed(entry, form) for entry in self.entries}

    def shown(self, one: Json) -> dict[str, Any]:
        """The fields of an object that is there."""
        return {entry.name: entry.shown(one) for entry in self.entries}

    def place(self, pointer: str) -> str | None:
        """The field that is to blame for what a problem says of *pointer*."""
        if pointer == "/errors/name-taken":
            return "name"
        wanted = f"{pointer.strip('/').replace('/', '.')}."
        names = [f"{entry.name}." for entry in self.entries]
        fits = (each for each in names if wanted.startswith(each) or each.startswith(wanted))
        return next((each.removesuffix(".") for each in fits), None)

    def _typed(self, entry: Entry, form: Form) -> Any:
        if entry.kind is Kind.SWITCH:
            return entry.name in form
        return form.getlist(entry.name) if entry.kind is Kind.SEVERAL else form.get(entry.name, "")
