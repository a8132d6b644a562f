import re
from pathlib import Path

from lbaas.api import errors_page, problems

ROOT = Path(__file__).parents[3]


def test_the_committed_page_is_the_error_trees() -> None:
    committed = (ROOT / "docs" / "errors.md").read_text()

    assert committed == errors_page.render(), "run: python -m lbaas.api.errors_page"


def test_every_type_that_an_answer_can_have_is_on_the_page() -> None:
    written = set(re.findall(r'"(/errors/[a-z-]+)"', Path(problems.__file__).read_text()))
    written |= {problems.uri(kind) for kind in problems.KINDS}
    page = errors_page.render()

    assert len(written) > 20
    assert [kind for kind in written if f"| `{kind}` |" not in page] == []


def test_every_row_says_what_it_means() -> None:
    rows = [row for row in errors_page.render().splitlines() if row.startswith("| `/errors")]

    assert all(len(row.split("|")[3].strip()) > 20 for row in rows)
