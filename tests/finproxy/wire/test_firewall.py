"""What is said where the firewall's queues may not be looked at."""

from __future__ import annotations

import pytest

from finproxy.wire import firewall
from finproxy.wire.technique import WireError


class RootsOnly:
    """/proc/net/netfilter/nfnetlink_queue, as any user but root finds it."""

    def exists(self) -> bool:
        return True

    def read_text(self) -> str:
        raise PermissionError(13, "Permission denied")


def test_who_may_not_see_the_queues_is_told_what_works_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall, "_QUEUES", RootsOnly())

    with pytest.raises(WireError, match=r"only root may; run as root, or leave it to socket-filter"):
        firewall.listening()
