import os
from pathlib import Path

import pytest

from harness.errors import SourceUnavailableError, UsageError
from harness.sources.choice import choose
from tests.harness.connections import needs_linux
from tests.harness.pretended import EmptyTable

pytestmark = needs_linux


@pytest.mark.parametrize("name", ["sock_diag", "procfs", "psutil"])
def test_a_source_can_be_named(name: str) -> None:
    sources = choose(name)
    sources.close()
    assert sources.table is not None
    assert sources.table.name == name
    assert sources.events is None


def test_a_source_can_be_brought_along() -> None:
    source = EmptyTable()
    assert choose(source).table is source


def test_an_unknown_source_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"expected a source .*sock_diag.*found 'netstat'"):
        choose("netstat")


def test_no_netlink_is_told_and_procfs_used_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("harness.sources.sock_diag.socket.socket", refused)
    sources = choose()
    sources.close()
    assert sources.table is not None
    assert sources.table.name == "procfs"
    assert any(
        "sock_diag: expected a netlink socket" in note and "using procfs" in note for note in sources.notes
    )


def test_no_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sources.choice.os.geteuid", lambda: 1000)
    sources = choose()
    sources.close()
    assert sources.events is None
    assert any("tracepoint: not used, it needs root" in note for note in sources.notes)


def test_no_tracefs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.sources.choice.os.geteuid", lambda: 0)
    monkeypatch.setattr("harness.sources.tracefs._ROOT", tmp_path / "absent")
    sources = choose()
    sources.close()
    assert sources.events is None
    assert any("tracepoint: expected the kernel to have" in note for note in sources.notes)


def test_a_source_that_was_named_and_does_not_work_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("harness.sources.sock_diag.socket.socket", refused)
    with pytest.raises(
        SourceUnavailableError, match="expected a netlink socket, found Operation not permitted"
    ):
        choose("sock_diag")


def test_our_own_pid_needs_no_other_namespace() -> None:
    sources = choose(pid=os.getpid())
    sources.close()
    assert sources.table is not None
    assert sources.table.name == "sock_diag"
