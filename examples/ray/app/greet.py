"""A service of one deployment: greets whoever is named in the query."""  # noqa: INP001 - a folder of code that is shipped, no package

from __future__ import annotations

from ray import serve
from starlette.requests import Request


@serve.deployment
class Greeter:
    """Says hello."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    async def __call__(self, request: Request) -> str:
        """`/greet?name=Ada` -> `Hello, Ada!`."""
        return f"{self.greeting}, {request.query_params.get('name', 'world')}!"


def app(args: dict[str, str]) -> serve.Application:
    """Built by Serve with the `args` of the service file."""
    return Greeter.bind(args.get("greeting", "Hello"))  # type: ignore[attr-defined]
