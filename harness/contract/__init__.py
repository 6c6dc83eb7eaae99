"""The shutdown contract: what a good server does when it is asked to end, each item with its own verdict.

    report = judge_shutdown(Program("gunicorn myapp:app -b 127.0.0.1:{port}"), grace=10)
    assert not report.failed, report

protocols.py speaks to the server, subject.py watches and signals it, items.py holds what is judged, report.py
what comes out. Nothing in here knows pytest.
"""

from harness.contract.items import judge_item, judge_shutdown
from harness.contract.protocols import Callback, Http, Protocol, RawBytes
from harness.contract.report import ContractBrokenError, ContractReport, ItemVerdict, Outcome
from harness.contract.subject import Terms

__all__ = [
    "Callback",
    "ContractBrokenError",
    "ContractReport",
    "Http",
    "ItemVerdict",
    "Outcome",
    "Protocol",
    "RawBytes",
    "Terms",
    "judge_item",
    "judge_shutdown",
]
