"""`apus connect` and `apus interop fetch` as processes under asyncio, beside a server in the same program."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from http3_client import TIMEOUT

EX_UNAVAILABLE = 69


@asynccontextmanager
async def connecting(apus: Path, url: str, *arguments: str, stdin: int = PIPE) -> AsyncIterator[Process]:
    trust = () if url.startswith("ws:") else ("--insecure",)
    async with running(apus, "connect", url, *trust, *arguments, stdin=stdin) as command:
        yield command


@asynccontextmanager
async def fetching(apus: Path, url: str, *arguments: str) -> AsyncIterator[Process]:
    """`apus interop fetch`"""
    async with running(apus, "interop", "fetch", url, "--insecure", *arguments, stdin=DEVNULL) as command:
        yield command


@asynccontextmanager
async def running(*command_line: str | Path, stdin: int) -> AsyncIterator[Process]:
    command = await asyncio.create_subprocess_exec(*command_line, stdin=stdin, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(TIMEOUT):
            yield command
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()


async def outcome(command: Process) -> tuple[int, str, str]:
    """Without an end of the input: what it printed, once it has ended by itself."""
    output, errors = await asyncio.gather(command.stdout.read(), command.stderr.read())
    return await command.wait(), output.decode(), errors.decode()
