"""For tests: a session between two endpoints that exist in memory only.

    async with open_session("client.fin -> delay 2s") as stage:
        await stage.client.send_fin()
        assert await stage.server.receive() is FlowEnd.FIN

No real socket is waited on, so Trio's autojump clock makes a day pass at once. The fakes know RST, RST after
FIN, full buffers and acknowledgements; the project's own tests hold them to what real sockets do.
"""

from __future__ import annotations

from ..legs import FlowEnd as FlowEnd
from .fakes import FakeEndpoint as FakeEndpoint
from .fakes import FakeLeg as FakeLeg
from .fakes import fake_connection as fake_connection
from .readiness import FakeReadiness as FakeReadiness
from .stage import Stage as Stage
from .stage import open_session as open_session
from .stage import run_script as run_script
