"""h11's states, and how they follow from each other (h11's documentation, "Technical details").

Each side of an exchange has a state. Events move it; then, whatever moved it, some pairs of states follow.
"""

from __future__ import annotations

from .errors import LocalProtocolError
from .events import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)


class Sentinel(type):
    """The type of h11's constants: classes that are their own names."""

    def __repr__(cls) -> str:
        return cls.__name__


class CLIENT(metaclass=Sentinel):
    """The side that asks."""


class SERVER(metaclass=Sentinel):
    """The side that answers."""


class IDLE(metaclass=Sentinel):
    """Nothing was sent in this exchange."""


class SEND_RESPONSE(metaclass=Sentinel):  # noqa: N801  # h11's name
    """A response is to be sent."""


class SEND_BODY(metaclass=Sentinel):  # noqa: N801  # h11's name
    """Content is to be sent."""


class DONE(metaclass=Sentinel):
    """The message is complete."""


class MUST_CLOSE(metaclass=Sentinel):  # noqa: N801  # h11's name
    """The message is complete, and no other can follow."""


class CLOSED(metaclass=Sentinel):
    """Nothing more is sent."""


class ERROR(metaclass=Sentinel):
    """A rule was broken."""


class MIGHT_SWITCH_PROTOCOL(metaclass=Sentinel):  # noqa: N801  # h11's name
    """The client waits for the answer to an upgrade or CONNECT."""


class SWITCHED_PROTOCOL(metaclass=Sentinel):  # noqa: N801  # h11's name
    """What follows is no HTTP."""


_TABLE: dict[Sentinel, dict[Sentinel, dict[type[Event], Sentinel]]] = {
    CLIENT: {
        IDLE: {Request: SEND_BODY, ConnectionClosed: CLOSED},
        SEND_BODY: {Data: SEND_BODY, EndOfMessage: DONE},
    },
    SERVER: {
        IDLE: {Response: SEND_BODY, ConnectionClosed: CLOSED},
        SEND_RESPONSE: {InformationalResponse: SEND_RESPONSE, Response: SEND_BODY},
        SEND_BODY: {Data: SEND_BODY, EndOfMessage: DONE},
    },
}
_AFTER_A_MESSAGE = (DONE, MUST_CLOSE, CLOSED)


class Exchange:
    """The states of both sides."""

    __slots__ = ("keeps_alive", "offers", "states")

    def __init__(self) -> None:
        self.states: dict[Sentinel, Sentinel] = {CLIENT: IDLE, SERVER: IDLE}
        self.keeps_alive = True
        self.offers: set[str] = set()
        """How the client would leave HTTP: `upgrade` or `connect`, until it is answered."""

    def check(self, role: Sentinel, event: Event) -> None:
        """Raise `LocalProtocolError` for an event that the state does not allow."""
        state = self.states[role]
        if isinstance(event, ConnectionClosed) and state in _AFTER_A_MESSAGE:
            return
        if type(event) not in _TABLE[role].get(state, {}):
            raise LocalProtocolError(f"no {type(event).__name__} from the {role!r} in {state!r}")
        if (
            isinstance(event, InformationalResponse)
            and event.status_code == 101
            and "upgrade" not in self.offers
        ):
            raise LocalProtocolError("101 to a request that offers no upgrade")

    def follow(self, role: Sentinel, event: Event) -> None:
        """Move on by an event that `check` passed."""
        if isinstance(event, ConnectionClosed):
            self.states[role] = CLOSED
        else:
            self.states[role] = _TABLE[role][self.states[role]][type(event)]
        if isinstance(event, Request):
            self.states[SERVER] = SEND_RESPONSE
        elif isinstance(event, (Response, InformationalResponse)):
            self._answer_offers(event)
        self.settle()

    def _answer_offers(self, response: Response | InformationalResponse) -> None:
        accepted = response.status_code == 101 or (
            "connect" in self.offers and 200 <= response.status_code < 300
        )
        if accepted:
            self.states = {CLIENT: SWITCHED_PROTOCOL, SERVER: SWITCHED_PROTOCOL}
        elif isinstance(response, Response):
            self.offers.clear()

    def fail(self, role: Sentinel) -> None:
        """Take a side to ERROR."""
        self.states[role] = ERROR
        self.settle()

    def settle(self) -> None:
        """Let follow what follows from both states together."""
        states = self.states
        if states[CLIENT] is DONE and self.offers:
            states[CLIENT] = MIGHT_SWITCH_PROTOCOL
        elif states[CLIENT] is MIGHT_SWITCH_PROTOCOL and not self.offers:
            states[CLIENT] = DONE
        for role, other in ((CLIENT, SERVER), (SERVER, CLIENT)):
            state = states[role]
            ended = states[other] in (CLOSED, ERROR)
            if (state is DONE and (ended or not self.keeps_alive)) or (
                state is IDLE and states[other] is CLOSED
            ):
                states[role] = MUST_CLOSE

    def begin_again(self) -> None:
        """Begin the next exchange. Raises `LocalProtocolError` unless both sides are DONE."""
        if not self.states[CLIENT] is self.states[SERVER] is DONE:
            raise LocalProtocolError(f"no new exchange can begin in {self.states!r}")
        self.states = {CLIENT: IDLE, SERVER: IDLE}
        self.offers.clear()
