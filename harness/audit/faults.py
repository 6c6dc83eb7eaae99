"""What a failure of behaviour means in each scenario, as a sentence about the subject continues: "it ...".

Data only; scenarios without an entry are told by their title.
"""

from collections.abc import Mapping

FAULTS: Mapping[str, str] = {
    "half-close-request": "loses the answer when the client half-closes behind its request",
    "half-close-response": "loses the rest of a request once the answer has ended",
    "half-close-swallowed": "does not answer until the client has closed",
    "half-close-as-abort": "takes an aborted exchange for a success",
    "fin-never-comes": "keeps a closed connection for as long as its client does not close",
    "data-after-fin": "does not survive bytes on a connection that it has closed",
    "idle-peer-at-sigterm": "does not exit while a client is idle",
    "unused-connection-at-sigterm": "does not exit while a client is connected that has sent nothing",
    "inflight-at-sigterm": "cuts off the answer in flight at its shutdown",
    "backlog-at-sigterm": "resets connections that wait to be accepted at its shutdown",
    "request-after-sigterm": "resets a kept connection in the place of an answer at its shutdown",
    "fin-mid-body": "takes a body that was cut short for a complete one",
    "rst-mid-response": "takes a body that was reset in the middle for a complete one",
    "rst-close-delimited": "takes a body without a length that was reset in the middle for a complete one",
    "rst-after-full-response": "reports success without the whole body when a reset follows it",
    "sigkill-peer": "takes half an answer of a server that died for a complete one",
    "fin-right-after-response": "gives up its next request because the server has closed the connection",
    "fin-crosses-request": "gives up a request that crossed the server's FIN, instead of repeating it",
    "request-delivered-then-fin": "repeats a request that may have been carried out",
    "close-wait-budget": "leaks connections in CLOSE-WAIT",
    "early-response-unread-body": "loses an answer that comes before it has sent the whole request",
    "blackhole-after-idle": "hangs when a kept connection goes silent",
    "reset-on-next-packet": "gives up a request on a kept connection that was reset, instead of repeating it",
}
