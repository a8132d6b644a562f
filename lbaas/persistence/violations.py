"""What a broken constraint means. Services look first; a constraint is what two requests at once meet."""

from sqlalchemy.exc import IntegrityError

from lbaas.errors import AddressTaken, Conflict, InUse, Invalid, NameTaken, Refused

FOREIGN_KEY_VIOLATION = "23503"


def as_refusal(error: IntegrityError) -> Refused:
    """The business error that *error* amounts to; Postgres names the constraint and the rule broken."""
    cause = error.orig.__cause__ if error.orig is not None else None
    name = getattr(cause, "constraint_name", None) or ""
    if name.startswith("uq_") and name.endswith("name"):
        kind = str(getattr(cause, "table_name", "object")).replace("_", " ")
        return NameTaken(f"another {kind} has the name: choose another")
    if name.startswith("uq_") and "address" in name:
        return AddressTaken("the address is another's: choose another")
    if getattr(cause, "sqlstate", "") == FOREIGN_KEY_VIOLATION:
        if "still referenced" in (getattr(cause, "detail", None) or ""):
            return InUse("another object uses it, as of a moment ago: look again")
        return Invalid("an object that the request names was deleted a moment ago")
    return Conflict("the request contradicts another one made at the same time: try again")
