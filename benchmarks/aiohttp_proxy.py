"""The other yardstick: a reverse proxy as one writes it in an afternoon with aiohttp, on uvloop.

`python -m benchmarks.aiohttp_proxy PORT UPSTREAM_PORT...`: reads the body, looks at `model`, takes the upstream with
the fewest requests, passes the answer on as it comes.
"""

from __future__ import annotations

import json
import sys

import uvloop
from aiohttp import ClientSession, TCPConnector, web

KEPT = ("Content-Type", "Content-Length")


class Proxy:
    """Requests in flight by upstream."""

    def __init__(self, ports: list[int]) -> None:
        self.load = dict.fromkeys(ports, 0)
        self.session: ClientSession | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if json.loads(body).get("model") != "tiny":
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        port = min(self.load, key=self.load.__getitem__)
        self.load[port] += 1
        self.session = self.session or ClientSession(connector=TCPConnector(limit=0))
        url = f"http://127.0.0.1:{port}{request.path_qs}"
        try:
            async with self.session.post(url, data=body, headers={"Content-Type": "application/json"}) as upstream:
                kept = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
                response = web.StreamResponse(status=upstream.status, headers=kept)
                await response.prepare(request)
                async for part in upstream.content.iter_any():
                    await response.write(part)
                await response.write_eof()
                return response
        finally:
            self.load[port] -= 1


if __name__ == "__main__":
    uvloop.install()
    app = web.Application()
    app.router.add_post("/{path:.*}", Proxy([int(word) for word in sys.argv[2:]]).answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=1024)
