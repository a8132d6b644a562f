from pathlib import Path

import pytest

from lbaas.errors import ToolMissing
from lbaas.lab.kernel import cache

VERSION = "6.1.176"


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stock kernel of VERSION is installed; answers where this user's cache of it is."""
    (tmp_path / "modules" / VERSION).mkdir(parents=True)
    (tmp_path / "linux.uml").touch()
    monkeypatch.setattr(cache, "STOCK", tmp_path / "linux.uml")
    monkeypatch.setattr(cache, "STOCK_MODULES", tmp_path / "modules")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/lbaas/uml" / VERSION


def fill(place: Path, *names: str) -> None:
    place.mkdir(parents=True)
    for name in names:
        (place / name).touch()


@pytest.mark.usefixtures("stock")
def test_nothing_is_cached_at_first() -> None:
    assert cache.cached() is None


def test_both_rebuilt_modules_make_the_stock_kernel_ready(stock: Path) -> None:
    fill(stock, *cache.REBUILT)

    assert cache.cached() == cache.Kernel(cache.STOCK, stock)


def test_one_module_alone_is_no_kernel(stock: Path) -> None:
    fill(stock, cache.REBUILT[0])

    assert cache.cached() is None


def test_a_whole_kernel_needs_no_modules(stock: Path) -> None:
    fill(stock, cache.WHOLE)

    assert cache.cached() == cache.Kernel(stock / cache.WHOLE, None)


def test_modules_of_another_version_are_not_used(stock: Path) -> None:
    fill(stock.with_name("6.1.170"), *cache.REBUILT)

    assert cache.cached() is None


@pytest.mark.usefixtures("stock")
def test_a_missing_stock_kernel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "STOCK", Path("/nowhere/linux.uml"))

    with pytest.raises(ToolMissing, match="apt-get install user-mode-linux"):
        cache.cached()
