import asyncio
import contextlib
import socket

from sandbox.cluster.forwarder import Forwarder
from sandbox.cluster.ports import free_port


async def backend(name):
    """Answers with its name and everything that it was sent, once the sender has finished."""

    async def serve(reader, writer):
        data = await reader.read()
        writer.write(name + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()


async def ask(port, data=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


def run(test):
    async def main():
        forwarder = Forwarder(free_port())
        await forwarder.start()
        try:
            await test(forwarder)
        finally:
            forwarder.stop()

    asyncio.run(main())


def test_connections_go_round():
    async def test(forwarder):
        one, two = await backend(b"1"), await backend(b"2")
        forwarder.backends = [one[1], two[1]]
        assert sorted([await ask(forwarder.port) for _ in range(4)]) == [b"1", b"1", b"2", b"2"]

    run(test)


def test_a_dead_backend_is_skipped_and_none_at_all_is_a_closed_connection():
    async def test(forwarder):
        _, alive = await backend(b"1")
        forwarder.backends = [("127.0.0.1", free_port()), alive]
        assert {await ask(forwarder.port) for _ in range(4)} == {b"1"}
        forwarder.backends = []
        with contextlib.suppress(ConnectionError):
            assert await ask(forwarder.port) == b""

    run(test)


def test_large_transfers_are_whole_in_both_directions():
    async def test(forwarder):
        _, address = await backend(b"")
        forwarder.backends = [address]
        data = bytes(range(256)) * 100_000
        assert await ask(forwarder.port, data) == data

    run(test)


def test_a_slow_reader_does_not_fill_memory():
    async def test(forwarder):
        sent = 0

        async def serve(_, writer):
            nonlocal sent
            while sent < 200 << 20:
                writer.write(bytes(1 << 20))
                await writer.drain()
                sent += 1 << 20

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        forwarder.backends = [server.sockets[0].getsockname()]
        client = socket.create_connection(("127.0.0.1", forwarder.port))
        await asyncio.sleep(0.5)
        assert 0 < sent < 100 << 20
        client.close()
        server.close()

    run(test)


def test_open_connections_stay_when_backends_change_and_the_port_closes():
    async def test(forwarder):
        _, address = await backend(b"1")
        forwarder.backends = [address]
        reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
        await asyncio.sleep(0.1)
        forwarder.backends = []
        forwarder.stop()
        writer.write(b"late")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"1late"
        writer.close()

    run(test)
