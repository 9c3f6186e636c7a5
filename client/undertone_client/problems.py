"""What can go wrong on this side of the wire; refusals by the server are ``UndertoneError``."""


class LocalError(Exception):
    """Something is missing here: ``problem`` says what was wrong, ``remedy`` what would be right."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class ServerUnreachableError(LocalError, ConnectionError):
    """No server answers, or the connection dropped before the session ended. Trying again may help."""


class MicrophoneUnavailableError(LocalError):
    """PortAudio is missing, or no input device can be opened."""
