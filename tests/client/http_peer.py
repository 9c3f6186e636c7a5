"""A scripted HTTP peer on a real socket, and bodies for it to answer with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import BaseModel

from tests.client.peer import ended
from undertone_service.protocol import rest
from undertone_service.protocol.labels import Decision

ANN = rest.EnrolledSpeaker(
    id="ann",
    name="Ann",
    created_at="2025-01-01T00:00:00Z",
    consent_by="form",
    enrollments=0,
    speech=0,
    state="empty",
)
ENROLLED = rest.Enrollment(
    id="e1",
    speaker="ann",
    speech=4.0,
    level_db=-23,
    snr_db=None,
    clipped=0,
    bandwidth_hz=8000,
    agreement=None,
    missing_speech=6.0,
)
VERIFIED = rest.Verification(
    speaker="ann",
    score=0.6,
    probability=0.97,
    decision=Decision.ACCEPTED,
    speech=4.1,
    warnings=("narrow band",),
)
ANALYSED = rest.Analysis(
    duration=6.0, sample_rate=8000, channels=ended().channels, utterances=(), bundle="tiny", digest="0"
)


@dataclass
class Peer:
    """A scripted HTTP peer: what it answers, and what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, Message, bytes]] = field(default_factory=list)

    def answer(self, call: str, body: BaseModel, status: int = 200) -> None:
        self.answers[call] = status, body.model_dump_json().encode()


@contextmanager
def running_peer() -> Iterator[Peer]:
    """Run a peer in a thread."""
    told = Peer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = f"{self.command} {self.path}"
            told.asked.append((call, self.headers, body))
            status, answer = told.answers.get(call, (404, b"nothing here"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def uploaded(headers: Message, body: bytes) -> tuple[str | None, bytes]:
    """Return name and content of the one file in a multipart body, read by the standard library."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + body).get_payload()
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, Message)
    assert part.get_param("name", header="content-disposition") == "file"
    return part.get_filename(), bytes(part.get_payload(decode=True))
