"""How much the GPUs of this machine are used; nothing where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

_PERIOD = 5.0
_PATIENCE = 5.0


class GpuUse:
    """Asked in the background at most every five seconds; `share` is 0 to 1 over all GPUs, None where there is none."""

    def __init__(self) -> None:
        self.share: float | None = None
        self._program = shutil.which("nvidia-smi")
        self._asked = 0.0
        self._task: asyncio.Task[None] | None = None

    def beat(self, now: float) -> None:
        """Asks when it is due."""
        if self._program and now - self._asked >= _PERIOD and (self._task is None or self._task.done()):
            self._asked = now
            self._task = asyncio.create_task(self._ask(self._program))

    async def _ask(self, program: str) -> None:
        process = await asyncio.create_subprocess_exec(
            program,
            "--query-gpu=utilization.gpu",
            "--format=csv,noheader,nounits",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                output, _ = await process.communicate()
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return
        self.share = parsed(output.decode(errors="replace"))

    async def aclose(self) -> None:
        """Ends what it has begun."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def parsed(output: str) -> float | None:
    """The mean of the lines of nvidia-smi, each a percentage; None when no line is one."""
    numbers = [float(line) for line in output.split() if line.replace(".", "", 1).isdigit()]
    return round(sum(numbers) / len(numbers) / 100, 3) if numbers else None
