"""Tables of routes: which path leads to what, and at which step a client is that asks for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from utxoracle.simulation.answers import Answer, Request
from utxoracle.simulation.faults import Step

BLOCK_HASH = re.compile(r"[0-9a-fA-F]{64}")
NUMBER = re.compile(r"[0-9]{1,10}")
"""What a hash or a number in a path looks like."""


class RouteFailed(Exception):
    """Raised when a route answers with an error.

    Attributes:
        status: HTTP's number.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Interface(Protocol):
    """A simulated server's routes, for one request."""

    def step_of(self, request: Request) -> Step | None:
        """Return the step of the route that is asked for; None for those that are at none."""
        ...

    def answer(self, request: Request) -> Answer:
        """Return the answer."""
        ...


@dataclass(frozen=True)
class NoRoutes:
    """An interface that has one answer to everything."""

    always: Answer

    def step_of(self, _: Request) -> Step | None:
        """Return None: such a request is at no step."""
        return None

    def answer(self, _: Request) -> Answer:
        """Return the answer."""
        return self.always


@dataclass(frozen=True)
class Route:
    """A route.

    Attributes:
        pattern: The paths; its groups are given to the handler.
        step: The step at which a client asks for it; None when it is at none.
        handler: A method that answers, given the request and the groups.
    """

    pattern: re.Pattern[str]
    step: Step | None
    handler: Callable[..., Answer]


def route(pattern: str, step: Step | None, handler: Callable[..., Answer]) -> Route:
    """Return the route of the paths that match `pattern` as a whole."""
    return Route(re.compile(pattern), step, handler)


def find_route(routes: tuple[Route, ...], path: str) -> tuple[Route, tuple[str, ...]] | None:
    """Return the first route of `path` with the groups in it, if there is one."""
    for one in routes:
        if found := one.pattern.fullmatch(path):
            return one, found.groups()
    return None


def step_of(routes: tuple[Route, ...], path: str) -> Step | None:
    """Return the step of the route of `path`, if there is such a route and it has one."""
    found = find_route(routes, path)
    return found[0].step if found else None
