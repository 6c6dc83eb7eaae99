"""Scenarios in which a connection ends too early, by FIN or by RST. Data only."""

from typing import Final

from harness.scenarios.scenario import CLIENT, RELAY, SERVER, Parameter, Scenario

RESETS: Final = (
    Scenario(
        name="fin-mid-body",
        title="FIN in the middle of a body whose length is known",
        subjects=(CLIENT, RELAY),
        rules=("server.bytes {half} -> fin",),
        does="FIN in the middle of a body whose length was announced",
        client_end="the client reports an error",
        server_end="-",
        explanation=(
            "The server dies, or somebody between ends the connection in order: the client reads "
            "less than the length that the header has announced. A client that does not compare them "
            "takes a torn file for a whole one. A relay has to deliver what came, and then a FIN."
        ),
        rests_on="RFC 9112 section 8: such a message is incomplete",
        incidents=("psf/requests#4956", "urllib3/urllib3#311", "python/cpython#115997"),
    ),
    Scenario(
        name="rst-mid-response",
        title="RST in the middle of a body whose length is known",
        subjects=(CLIENT, RELAY),
        rules=("server.bytes {half} -> reset",),
        does="RST in the middle of a body whose length was announced",
        client_end="the client reports an error",
        server_end="-",
        explanation=(
            "The server aborts. The client must report it. A relay that turns the reset into a FIN "
            "makes an abort look like a proper end, and one that loses the bytes which came before "
            "it tears the body even earlier."
        ),
        rests_on="RFC 9293 section 3.5.3: the user is told that the connection was reset",
        incidents=("envoyproxy/envoy#24083", "envoyproxy/envoy#6392"),
    ),
    Scenario(
        name="rst-close-delimited",
        title="RST in the middle of a body that the connection's end delimits",
        subjects=(CLIENT, RELAY),
        rules=("server.bytes {half} -> reset",),
        does="RST in the middle of a body that the end of the connection delimits",
        client_end="the client reports an error (RFC 9112 section 8)",
        server_end="-",
        explanation=(
            "Without a length only the kind of the end tells a whole body from a torn one: FIN is "
            "the end, RST is a failure. A client that takes any end for the end, or a relay that "
            "passes an RST on as FIN, makes truncation undetectable."
        ),
        rests_on="RFC 9112 section 8 and section 6.3, item 8",
        incidents=("psf/requests#4956",),
    ),
    Scenario(
        name="rst-after-full-response",
        title="RST behind a complete body",
        subjects=(CLIENT, RELAY),
        rules=("server.fin -> reset",),
        does="RST in the place of the FIN behind a complete body",
        client_end="the body intact, or an error",
        server_end="-",
        explanation=(
            "A server that closes with unread bytes resets behind its last byte. The body is "
            "complete; the client may use it or report an error, but must not come back in silence "
            "with less. A relay must not let the reset overtake the body."
        ),
        rests_on="RFC 9112 section 9.6, the TCP reset problem",
        incidents=("encode/httpcore#723", "hyperium/hyper#3078", "oferchen/rsync#6556"),
    ),
    Scenario(
        name="sigkill-peer",
        title="The server is killed in the middle of its answer",
        subjects=(CLIENT,),
        does="the server is killed in the middle of its answer",
        client_end="the client reports an error",
        server_end="-",
        explanation=(
            "What the kernel sends for a killed process is FIN, or RST if it had unread bytes. The "
            "client must report an error and must not keep the dead connection."
        ),
        rests_on="RFC 9112 section 8; RFC 9293 section 3.6.1",
        incidents=("AsyncHttpClient/async-http-client#776",),
    ),
    Scenario(
        name="early-response-unread-body",
        title="The answer comes before the request's body has been read",
        subjects=(SERVER, RELAY),
        does="the server answers early; the client goes on sending the body, and reads the answer then",
        client_end="the whole answer",
        server_end="it reads on for a while before it closes, so that it need not reset",
        explanation=(
            "A server that refuses an upload answers before it has read the body. If it then closes "
            "with bytes unread, its kernel sends a reset, which can destroy the answer on its way: "
            "the client sees a broken connection instead of 413. Hence lingering close: end the own "
            "flow, read on for a while, then close. A relay must deliver the answer though its other "
            "direction has just been reset."
        ),
        rests_on="RFC 9112 section 9.6, the TCP reset problem; RFC 9293 section 3.6.1 (SHLD-3)",
        incidents=("dotnet/runtime#57186", "encode/httpcore#723", "h2o/h2o#2534", "hyperium/hyper#3078"),
        parameters=(
            Parameter("body", 1_000_000, "bytes that the request announces"),
            Parameter("wait", 1.0, "seconds within which an answer counts as early"),
        ),
    ),
)
