#!/usr/bin/python3
"""Clients that drip, hold workers, read late, pipeline and send large JSON, all at once, while the
health port is probed: hostile.py PORT HEALTH_PORT CLIENTS SECONDS [strict]

CLIENTS drip. The server must answer on the health port, and cut no answer without closing its
connection. strict: also health within 0.1 s (99 % of the probes; the slowest is printed), a count
of the answers that it cut, and no more memory after a second round than after the first, since its
threads keep what they have touched."""

import asyncio
import json
import multiprocessing
import resource
import socket
import sys
import time
import urllib.request

PORT, HEALTH, CLIENTS = (int(text) for text in sys.argv[1:4])
SECONDS, STRICT = float(sys.argv[4]), "strict" in sys.argv
POST = (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n")
MIB = 1 << 20
results, streams = {}, []


def ask(path):
    return urllib.request.urlopen(f"http://127.0.0.1:{HEALTH}{path}", timeout=20).read().decode()


def metric(name):
    return float(next(line for line in ask("/metrics").splitlines()
                      if line.startswith(name + " ")).split()[1])


def probe(end, queue):
    """A process of its own, so that this program's work does not count as the server's."""
    seconds = []
    while time.time() < end:
        start = time.time()
        ask("/readyz")
        seconds.append(time.time() - start)
        time.sleep(0.02)
    queue.put(sorted(seconds))


async def dial(buffer=None):
    s = socket.socket()
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.setblocking(False)
    await loop.sock_connect(s, ("127.0.0.1", PORT))
    return s


async def read_to_end(s):
    data = b""
    try:
        while piece := await loop.sock_recv(s, MIB):
            data += piece
    except ConnectionError:
        pass
    streams.append(data)


async def send(s, data):
    try:
        await loop.sock_sendall(s, data)
    except ConnectionError:
        pass


async def talk(data, buffer=None, late=0):
    """The socket is closed last: no one wakes a sender whose socket was closed."""
    s = await dial(buffer)
    sender = asyncio.create_task(send(s, data))
    await asyncio.sleep(late)
    await asyncio.wait_for(asyncio.gather(sender, read_to_end(s)), 60)
    s.close()


async def drip(data, end):
    while time.time() < end:
        s = await dial()
        reader = asyncio.create_task(read_to_end(s))
        for i in range(len(data)):
            # The first byte brings all but the last 100.
            await send(s, data[:-100] if i == 0 else data[-100 + i - 1:][:1])
            if (await asyncio.wait({reader}, timeout=1.8))[0] or time.time() > end:
                break
        reader.cancel()
        await asyncio.wait({reader})
        s.close()


async def hold(end):
    request = b"GET /web/chart.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    await talk(1000 * request, buffer=4096, late=end - time.time())


async def read_late():
    bodies = [json.dumps([{"id": f"L{id(loop)}-{k}-{i}", "time": "2018-05-03T08:15:00Z",
                           "customer": i, "terminal": i, "amount": 1} for i in range(1000)]).encode()
              for k in range(12)]
    await talk(b"".join(POST % len(b) + b"\r\n" + b for b in bodies), late=4)


async def pipeline():
    await talk(1000 * b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def flood():
    body = b"[" + b",".join([b"{}"] * (MIB // 3 - 2)) + b"]"
    await talk(POST % len(body) + b"Connection: close\r\n\r\n" + body)


def check_stream(data):
    """Whole answers, of which the last one, before the connection ended, may be cut."""
    at = n = 0
    while at < len(data):
        assert data[at:].startswith(b"HTTP/1.1 "[:len(data) - at]), data[at:at + 80]
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            break
        head = data[at:end].decode()
        length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
        at = end + 4 + length
        n += at <= len(data)
        assert "Connection: close" not in head or at >= len(data), "more after the last answer"
    return n


async def attack(seconds):
    end = time.time() + seconds
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + 9 * b"X-Header: 1234567890\r\n"
    dripping = [head, POST % 1000 + b"\r\n" + 100 * b" "]
    tasks = [drip(dripping[i % 2], end) for i in range(CLIENTS)]
    tasks += [hold(end) for _ in range(CLIENTS // 50)]
    tasks += [f() for f in (read_late, pipeline) for _ in range(4)] + [flood() for _ in range(20)]
    await asyncio.gather(*tasks)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, 2 * resource.getrlimit(resource.RLIMIT_NOFILE)[1:])
    memory = [metric("process_resident_memory_bytes") / MIB]
    queue, seconds = multiprocessing.Queue(), []
    for _ in range(2 if STRICT else 1):
        prober = multiprocessing.Process(target=probe, args=(time.time() + SECONDS, queue))
        prober.start()
        loop.run_until_complete(attack(SECONDS))
        seconds += queue.get(timeout=60)
        prober.join()
        time.sleep(2)  # the last ones are given up
        memory.append(metric("process_resident_memory_bytes") / MIB)
    seconds.sort()
    slow = sum(s > 0.1 for s in seconds)
    results["health is answered, 99 % of the time within 0.1 s"] = (
        slow <= len(seconds) / 100 or not STRICT,
        f"{len(seconds)} probes, median {1e3 * seconds[len(seconds) // 2]:.1f} ms, "
        f"slowest {1e3 * seconds[-1]:.0f} ms, {slow} over 100 ms")
    try:
        n = sum(check_stream(data) for data in streams)
        text = f"{n} whole answers on {len(streams)} connections"
        results["no answer is cut without its connection being closed"] = (n > 0, text)
    except AssertionError as why:
        results["no answer is cut without its connection being closed"] = (False, str(why))
    cut = metric("assay_http_answers_cut_total")
    results["cut answers are counted"] = (cut > 0 or not STRICT, f"{cut:.0f}")
    results["a second round takes no more memory"] = (
        memory[-1] < 1.1 * memory[1] + 16 or not STRICT, " → ".join(f"{m:.0f}" for m in memory) + " MiB")
    for name, (good, text) in results.items():
        print(f"{'ok' if good else 'FAILED'}  {name}: {text}")
    passed = sum(good for good, _ in results.values())
    print(f"{passed} passed, {len(results) - passed} failed")
    return passed < len(results)


loop = asyncio.new_event_loop()
sys.exit(main())
