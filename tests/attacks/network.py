"""What a hostile network does to `scopething serve`, `simulate` and the page of `record`."""

import json
import os
import random
import select
import socket
import threading
import time

from bench import (
    LIMIT, WEBSOCKET, GoodClient, Scpi, Server, ask_device, ask_page, connect, look, read_exactly, read_until_closed,
    reset_on_close, scrape, use_once, wait_until,
)

DOORS = ["bitscope-server", "tcp", "hmo", "rigol", "rigol-framed", "twinlan", "web"]
SIGNAL = "sim:?A=sine,1kHz,-2..2V"
# Longer than any loan of the device while others wait, in seconds.
LOAN_LIMIT = 8
IDENTITY = b"?\rBS000501\r"


def serve(program, *more, doors=DOORS, open_files=None):
    listens = [word for door in doors for word in (f"--{door}", "127.0.0.1:0")]
    return Server(program, "serve", "--url", SIGNAL, *listens, *more, open_files=open_files)


def identify(address, source=None):
    """What a good client of the device itself does."""
    answer = ask_device(address, b"?", len(IDENTITY), source)
    assert answer == IDENTITY, answer


def data_door(server):
    host, port = server["twinlan"]
    return host, port + 1


def descriptors_run_out(program, seconds):
    """A client that opens connections as fast as it can, to every door, with few descriptors for the server."""
    with serve(program, open_files=256) as server:
        doors = [address for door, address in server.addresses.items() if door != "bitscope_server"]
        good = GoodClient(use_once, server["hmo"], "127.0.0.2")
        most = 0

        def attack(over):
            nonlocal most
            held = []
            while not over.is_set():
                for address in [*doors, data_door(server)]:
                    try:
                        held.append(connect(address, limit=1))
                        reset_on_close(held[-1])
                    except OSError:
                        pass  # the queue of the listener is full
                most = max(most, server.descriptors()) if server.child.poll() is None else most
                # Those that were hung up at are of no use any more.
                while len(held) > 700:
                    held.pop(0).close()
            for stream in held:
                stream.close()

        latency = good.beside(attack, seconds)
        server.assert_running()
        assert most <= 256, most
        return f"{most} descriptors at most; {latency.check()}"


def exhaustion_is_waited_out(program, seconds):
    """The server has fewer descriptors than it has clients. It goes on when they have left."""
    del seconds
    open_files = 40
    with serve(program, doors=["tcp", "hmo", "twinlan"], open_files=open_files) as server:
        held = [connect(address) for _ in range(60) for address in [*server.addresses.values(), data_door(server)]]
        wait_until(lambda: server.descriptors() == open_files, "its descriptors do not run out")
        server.assert_running()
        for stream in held:
            reset_on_close(stream)
            stream.close()
        use_once(server["hmo"])
        return f"{len(held)} connections for {open_files} descriptors; served again"


def limit_holds_in_a_burst(program, seconds):
    """Many connections at once to one door: the server never holds more of them than it has places."""
    del seconds
    with serve(program, doors=["hmo"]) as server:
        before, most, held = server.descriptors(), 0, []
        for _ in range(600):
            held.append(connect(server["hmo"]))
            held[-1].sendall(b"*IDN")
            most = max(most, server.descriptors() - before)
        for stream in held:
            stream.close()
        assert most <= 72, f"{most} descriptors for connections"
        return f"600 connections, {most} descriptors for them at most"


def web_page(commands, host):
    """What a page makes a browser send: a form with the type text/plain."""
    return (
        b"POST / HTTP/1.1\r\nHost: %s\r\nOrigin: http://example.org\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (host.encode(), len(commands), commands)
    )


# Reads, and writes, a byte of the EEPROM.
READ_EEPROM = b"![11]@[30]sr"
WRITE_EEPROM = b"![10]@[5a]s[11]@[30]sw"


def read_eeprom(server):
    return ask_device(server["tcp"], READ_EEPROM, len(READ_EEPROM) + len(b"\rxx\r"))


def web_page_writes_the_eeprom(program, seconds):
    """A web page posts commands of the virtual machine to the raw door, also in pieces, where writing is allowed."""
    del seconds
    changed = 0
    more = ["--allow-eeprom-writes"] if program.knows("serve", "--allow-eeprom-writes") else []
    for pieces in (1, 5):
        with serve(program, *more, doors=["tcp"]) as server:
            before = read_eeprom(server)
            page = web_page(WRITE_EEPROM, "127.0.0.1")
            with connect(server["tcp"]) as stream:
                step = -(-len(page) // pieces)
                try:
                    for start in range(0, len(page), step):
                        stream.sendall(page[start:start + step])
                        time.sleep(0.01)  # what is tested: pieces that come one by one
                except OSError:
                    pass  # hung up at
                read_until_closed(stream, 1)
            changed += read_eeprom(server) != before
    assert not changed, f"the EEPROM was written by {changed} of 2 pages"
    return "2 pages, no byte written"


def raw_client_writes_the_eeprom(program, seconds):
    """A client of the device itself writes the serial number, over TCP and over UDP."""
    del seconds
    with serve(program, doors=["tcp", "bitscope-server"]) as server:
        before = read_eeprom(server)
        with connect(server["tcp"]) as stream:
            stream.sendall(WRITE_EEPROM)
            reason = read_until_closed(stream, 1)
        over_tcp = read_eeprom(server)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.settimeout(1)
            stream.connect(server["bitscope_server"])
            stream.send(b"\x05" + WRITE_EEPROM)
            stream.recv(2000)
        over_udp = read_eeprom(server)
    assert over_tcp == before and over_udp == before, "the EEPROM was written"
    assert reason and b"--allow-eeprom-writes" in reason, reason
    if program.knows("serve", "--allow-eeprom-writes"):
        with serve(program, "--allow-eeprom-writes", doors=["tcp"]) as server:
            ask_device(server["tcp"], WRITE_EEPROM, len(WRITE_EEPROM))
            assert read_eeprom(server).endswith(b"\r5a\r"), "it is not written where it is allowed"
    return "refused at both doors, and done where it is allowed"


def web_page_changes_settings(program, seconds):
    """A web page posts commands of the emulated oscilloscopes, behind lines of any length."""
    del seconds
    changed = []
    posts = {
        "hmo": (b":TIM:SCAL 1E-6\n", ":TIM:SCAL?"),
        "rigol": (b":TIM:SCAL 1E-6\n", ":TIM:SCAL?"),
        "rigol_framed": (b":TIM:SCAL 1E-6\n", None),
        "twinlan": (b"RATE 10000000\n", None),
    }
    with serve(program) as server:
        with Scpi(server["hmo"]) as good:
            for door, (commands, _) in posts.items():
                for page in (
                    web_page(commands, "x"),
                    web_page(commands, "x").replace(b"POST / ", b"POST /" + b"x" * 5000 + b" "),
                    b"\x16\x03\x01\x00\xa5\x01\n" + commands,
                ):
                    good.send(":TIM:SCAL 1E-3")
                    before = good.ask(":TIM:SCAL?")
                    with connect(server[door]) as stream, connect(data_door(server)):
                        try:
                            stream.sendall(page)
                        except OSError:
                            pass  # hung up at
                        read_until_closed(stream, 0.5)
                    if good.ask(":TIM:SCAL?") != before:
                        changed.append(door)
    assert not changed, f"settings were changed through {changed}"
    return f"{3 * len(posts)} pages, no setting changed"


def web_page_turns_the_knobs_of_another(program, seconds):
    """A web page of another site, or one whose name leads to this computer, asks the page for browsers."""
    del seconds
    command = b'{"type": "set", "settings": {"time_per_div": "1ms"}}'
    strangers = (
        b"Host: rebound.example.org", b"X: no host", b"Host: localhost\r\nOrigin: http://example.org", b"Host: localhost\r\nOrigin: null",
    )
    with serve(program, doors=["web"]) as server:
        web, refused = server["web"], []
        before = json.loads(ask_page(web, b"GET /api/v1/state")[1])["settings"]
        for head in strangers:
            # A form of another site needs no permission for this type.
            head += b"\r\nContent-Type: text/plain"
            refused.append(ask_page(web, b"POST /api/v1/command", command, head)[0])
            refused.append(ask_page(web, b"GET /api/v1/traces/next.csv", head=head)[0])
            refused.append(ask_page(web, b"GET /", head=head)[0])
            with connect(web) as stream:
                stream.sendall(WEBSOCKET % head)
                refused.append(int(stream.recv(100).split()[1]))
        after = json.loads(ask_page(web, b"GET /api/v1/state")[1])["settings"]
        assert all(400 <= status < 500 for status in refused), refused
        assert after == before, "a knob was turned"
        status, answer = ask_page(web, b"POST /api/v1/command", command)
        assert status == 200 and json.loads(answer)["settings"] != before, "the page itself turns none"
    return f"{len(refused)} requests refused, no knob turned"


def device_commands_at_the_web_door(program, seconds):
    """Commands of the virtual machine where a browser is expected, and behind a request."""
    del seconds
    with serve(program, "--allow-eeprom-writes", doors=["tcp", "web"]) as server:
        before = read_eeprom(server)
        for page in (
            WRITE_EEPROM, b"?\r\n" + WRITE_EEPROM, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + WRITE_EEPROM + b"\r\n\r\n",
        ):
            with connect(server["web"]) as stream:
                stream.sendall(page)
                stream.shutdown(socket.SHUT_WR)
                answer = read_until_closed(stream)
            assert answer is not None, "the connection is held"
            assert b"BS000501" not in answer, answer
        assert read_eeprom(server) == before, "the EEPROM was written"
        assert ask_page(server["web"], b"GET /api/v1/state")[0] == 200
    return "3 of 3 hung up at, none executed"


def browsers_that_never_read(program, seconds):
    """WebSockets of one address, more than there are places, from which nothing is read; a browser elsewhere."""
    with serve(program, doors=["web"]) as server:
        before, most = server.descriptors(), 0
        good = GoodClient(ask_page, server["web"], b"GET /api/v1/state", b"", None, "127.0.0.2")

        def attack(over):
            nonlocal most
            held = []
            while not over.wait(0.01):
                held.append(look(server["web"]))
                most = max(most, server.descriptors() - before)
                while len(held) > 100:
                    held.pop(0).close()
            for stream in held:
                stream.close()

        latency = good.beside(attack, seconds).check()
        server.assert_running()
        assert 16 <= most <= 26, f"{most} descriptors for connections"
        return f"{most} descriptors at most; {latency}"


def web_page_probes_by_udp(program, seconds):
    """A web page makes a browser look for a STUN server at the raw UDP door: a header, then bytes that the page chooses."""
    del seconds
    with serve(program, doors=["bitscope-server"]) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.settimeout(1)
            stream.connect(server["bitscope_server"])
            stream.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"[16]@[30]s[17")
            try:
                answer = stream.recv(2000)
            except TimeoutError:
                answer = b""
    assert not answer, f"it was executed: {answer!r}"
    return "not executed"


def raw_client_starves_others(program, seconds):
    """A raw client that sends a byte now and then keeps the device; others ask for it at every door."""
    with serve(program, doors=["tcp", "bitscope-server", "hmo"]) as server:
        with connect(server["tcp"]) as holder:
            holder.sendall(b"?")
            assert read_exactly(holder, len(IDENTITY)) == IDENTITY
            waited = []
            until = time.monotonic() + max(seconds, LOAN_LIMIT)
            while time.monotonic() < until and not waited:
                try:
                    holder.sendall(b"?")
                except OSError:
                    pass  # it has lost the device
                try:
                    started = time.monotonic()
                    assert ask_device(server["tcp"], b"?", len(IDENTITY), "127.0.0.2") == IDENTITY
                    waited.append(time.monotonic() - started)
                except (ConnectionError, AssertionError):
                    pass  # The refusal names who has it: it asks again.
            assert waited, "the device was never given to another"
            taken = time.monotonic() - until + max(seconds, LOAN_LIMIT)
        with connect(server["tcp"]) as holder:
            holder.sendall(b"?")
            read_exactly(holder, len(IDENTITY))
            holder.sendall(b"[")
            started = time.monotonic()
            use_once(server["hmo"])
            oscilloscope = time.monotonic() - started
        assert taken < LOAN_LIMIT and oscilloscope < LOAN_LIMIT
        return f"another raw client had it after {taken:.1f} s, an oscilloscope's after {oscilloscope:.1f} s"


def silent_connections_fill_the_queue(program, seconds):
    """Connections that say nothing, and the next client of the device."""
    with serve(program, doors=["tcp"]) as server:
        good = GoodClient(identify, server["tcp"], "127.0.0.2")

        def attack(over):
            silent = [connect(server["tcp"]) for _ in range(9)]
            while not over.wait(0.1):
                silent.append(connect(server["tcp"]))
            for stream in silent:
                stream.close()

        return good.beside(attack, seconds).check()


def status_page(program):
    """A recording with a page of its status."""
    job = os.path.join(program.scratch.name, "page.toml")
    with open(job, "w") as file:
        file.write(
            f'url = "{SIGNAL}"\n[when]\nevery = "1s"\n[files]\n'
            f'directory = "{program.scratch.name}/page"\n[status]\nprometheus = "127.0.0.1:0"\n'
        )
    return Server(program, "record", job)


def page_readers_say_nothing(program, seconds):
    """Readers of the status page that do not ask; the next scrape."""
    with status_page(program) as server:
        address = server["prometheus"]
        good = GoodClient(scrape, address)

        def attack(over):
            silent = [connect(address) for _ in range(20)]
            while not over.wait(0.1):
                silent.append(connect(address))
            for stream in silent:
                stream.close()

        latency = good.beside(attack, seconds).check()
        return latency


def page_is_read_by_a_web_page(program, seconds):
    """A web page whose name leads to this computer, or that is of another origin, reads the status page."""
    del seconds
    with status_page(program) as server:
        address = server["prometheus"]
        answers = []
        for head in ("Host: rebound.example.org", "Host: localhost\r\nOrigin: http://example.org", "X: no host"):
            with connect(address) as stream:
                stream.sendall(f"GET / HTTP/1.1\r\n{head}\r\n\r\n".encode())
                answers.append(read_until_closed(stream))
        assert not any(b"scopething_" in answer for answer in answers), f"read by {answers}"
        scrape(address)
        return f"{len(answers)} pages, none read it"


def stranger_gets_waveforms(program, seconds):
    """Somebody behind the same address waits at the data port before a client comes, or a dead connection does."""
    del seconds
    with serve(program, doors=["twinlan"]) as server:
        with connect(data_door(server)) as stranger:
            dead = connect(data_door(server))
            dead.close()
            assert read_until_closed(stranger) == b"", "the stranger is not hung up at"
            control = connect(server["twinlan"])
            data = connect(data_door(server))
            with control, data:
                control.sendall(b"*IDN?\n:A:ON\nFORCE\n")
                data.settimeout(5)
                assert data.recv(100), "the client got none"
        return "the client got its waveform, the stranger none"


def logs_are_flooded(program, seconds):
    """Clients that are refused, connect and disconnect, as fast as they can."""
    with serve(program, doors=["tcp", "hmo"]) as server:
        rounds, until = 0, time.monotonic() + max(seconds, 3)
        while time.monotonic() < until:
            for door in ("tcp", "hmo"):
                with connect(server[door]) as stream:
                    reset_on_close(stream)
                    stream.sendall(b"x" * 5000 + b"\n")
            rounds += 1
        lines = len(server.logged())
        use_once(server["hmo"])
        assert lines < 300 and rounds > 200, f"{lines} lines for {rounds} rounds"
        return f"{lines} lines for {rounds} rounds"


def refusals_amplify(program, seconds):
    """Datagrams of two bytes from one address, while another client has the device: what comes back."""
    del seconds
    with serve(program, doors=["bitscope-server", "tcp"]) as server:
        with connect(server["tcp"]) as holder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            holder.sendall(b"?")
            read_exactly(holder, len(IDENTITY))
            victim.connect(server["bitscope_server"])
            queue = [connect(server["tcp"], f"127.0.0.{number}") for number in range(3, 12)]
            for stream in queue:
                stream.sendall(b"?")
            refused, _, _ = select.select(queue, [], [], LIMIT)
            assert refused, "the queue does not become full"
            sent = received = 0
            victim.settimeout(0.01)
            for number in range(200):
                sent += victim.send(bytes([number]) + b"?")
                try:
                    received += len(victim.recv(2000))
                except TimeoutError:
                    pass
            for stream in queue:
                stream.close()
        assert received <= sent, f"{received} bytes for {sent}"
        return f"{received} bytes for {sent}"


def noise_at_every_door(program, seconds):
    """Bytes by chance at every door."""
    chance = random.Random(18)
    with serve(program) as server:
        doors = [address for door, address in server.addresses.items() if door != "bitscope_server"]
        good = GoodClient(use_once, server["hmo"], "127.0.0.2")
        before = server.resident_kib()

        def attack(over):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                while not over.is_set():
                    for address in [*doors, data_door(server)]:
                        try:
                            with connect(address, limit=1) as stream:
                                stream.sendall(chance.randbytes(2000))
                        except OSError:
                            pass  # hung up at
                    datagrams.sendto(chance.randbytes(chance.randrange(100)), server["bitscope_server"])
                    time.sleep(0.02)  # it is to be among the clients, not to be the load of the machine

        latency = good.beside(attack, seconds)
        server.assert_running()
        growth = server.resident_kib() - before
        assert growth < 48 * 1024, f"{growth} KiB"
        assert latency.worst < LOAN_LIMIT, f"{latency}"
        return f"grew by {growth} KiB; {latency}"


class Unplugged:
    """A served device that can be unplugged: another process, or whatever listens at its port instead."""

    def __init__(self, program):
        self.program = program
        self.device = self.plug_in("127.0.0.1:0")
        self.port = self.device["tcp"][1]
        listens = [word for door in DOORS for word in (f"--{door}", "127.0.0.1:0")]
        self.server = Server(program, "serve", "--url", f"socket://127.0.0.1:{self.port}", *listens)
        use_once(self.server["hmo"])

    def plug_in(self, address=None, *more):
        address = address or f"127.0.0.1:{self.port}"
        self.device = Server(self.program, "simulate", "--tcp", address, "--signal", "A=sine 1kHz -2..2V", *more)
        return self.device

    def unplug(self):
        self.device.__exit__()

    def lost(self):
        """The reason that the page gives for the device being gone; None if it is there."""
        return json.loads(ask_page(self.server["web"], b"GET /api/v1/state")[1])["device"]["lost"]

    def miss(self):
        """Uses the device, so that it is seen that it is gone."""
        with Scpi(self.server["hmo"]) as client:
            client.send(":CHAN1:DATA?")
            wait_until(self.lost, "its loss is not seen")

    def is_back(self):
        wait_until(lambda: self.lost() is None, "it is not back")
        use_once(self.server["hmo"])
        self.server.assert_running()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()
        self.device.__exit__()


def ask_without_device(server):
    """What clients of each door get while the device is gone: each is answered, or hung up at, and soon."""
    started = time.monotonic()
    with connect(server["tcp"]) as raw:
        raw.sendall(b"?")
        refusal = read_until_closed(raw)
        assert refusal and refusal.startswith(b"refused: the BitScope is gone"), refusal
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.settimeout(LIMIT)
        raw.connect(server["bitscope_server"])
        raw.send(b"\x01?")
        assert IDENTITY not in raw.recv(2000)
    for door in ("hmo", "rigol"):
        with Scpi(server[door]) as client:
            assert client.ask("*IDN?"), "no identification"
            client.send(":CHAN1:DATA?" if door == "hmo" else ":WAV:DATA?")
    with connect(server["twinlan"]) as control, connect(data_door(server)):
        control.sendall(b"*IDN?\n:A:ON\nFORCE\n")
        assert control.recv(100), "no identification"
    generate = b'{"type": "generate", "wave": "sine 1kHz 0..3.3V"}'
    status, answer = ask_page(server["web"], b"POST /api/v1/command", generate)
    assert json.loads(answer)["error"], (status, answer)
    taken = time.monotonic() - started
    assert taken < LOAN_LIMIT, f"{taken:.1f} s for all doors"
    return taken


def clients_ask_while_the_device_is_gone(program, seconds):
    """Clients of every door while the device is unplugged, again and again, and those who wait for it."""
    with Unplugged(program) as served:
        server = served.server
        served.unplug()
        served.miss()
        ask_without_device(server)
        before, until, taken = (server.resident_kib(), server.descriptors()), time.monotonic() + seconds, []
        waiting = [look(server["web"]) for _ in range(5)]
        while time.monotonic() < until or len(taken) < 10:
            taken.append(ask_without_device(server))
        for stream in waiting:
            stream.close()
        wait_until(lambda: server.descriptors() <= before[1] + 2, "descriptors are kept")
        growth = server.resident_kib() - before[0]
        assert growth < 16 * 1024, f"{growth} KiB"
        lines = len(server.logged())
        served.plug_in()
        served.is_back()
    return f"{len(taken)} rounds of all doors, {max(taken):.2f} s at worst, {growth} KiB more, {lines} lines"


def device_flaps(program, seconds):
    """The device comes and goes faster than it is waited for, while clients want it."""
    chance = random.Random(19)
    with Unplugged(program) as served:
        server = served.server
        before, flaps, until = (server.resident_kib(), server.descriptors()), 0, time.monotonic() + max(seconds, 4)
        while time.monotonic() < until:
            served.unplug()
            with Scpi(server["hmo"]) as client:
                client.send(":CHAN1:DATA?")
                time.sleep(chance.uniform(0, 0.6))  # how long it is away: what is tested
            served.plug_in()
            time.sleep(chance.uniform(0, 1.2))
            flaps += 1
        served.is_back()
        wait_until(lambda: server.descriptors() <= before[1] + 2, "descriptors are kept")
        growth = server.resident_kib() - before[0]
        assert growth < 16 * 1024, f"{growth} KiB"
        return f"{flaps} times, {growth} KiB more, {len(server.logged())} lines"


def another_device_comes_back(program, seconds):
    """Another BitScope, with another serial number, is plugged in instead."""
    del seconds
    with Unplugged(program) as served:
        served.unplug()
        served.miss()
        served.plug_in(None, "--set", "serial=ZZ99ZZ99")
        wait_until(lambda: any("ZZ99ZZ99" in line for line in served.server.logged()), "the other one is not named")
        ask_without_device(served.server)
        assert served.lost(), "another device is used"
        served.unplug()
        served.plug_in()
        served.is_back()
        [line] = [line for line in served.server.logged() if "ZZ99ZZ99" in line]
    return f"refused, then taken back: {line}"


def device_answers_garbage(program, seconds):
    """What comes back is no BitScope: it sends noise without end, another revision, a byte now and then, or nothing."""
    del seconds
    chance, seen = random.Random(20), []

    def noise(stream, over):
        while not over.is_set():
            stream.sendall(chance.randbytes(4096))

    def other_revision(stream, over):
        while piece := stream.recv(100):
            stream.sendall(piece.replace(b"?", b"?\rBS001003\r"))

    def drip(stream, over):
        while not over.wait(0.05):
            stream.sendall(b"\r")

    def silence(stream, over):
        over.wait(LIMIT)

    with Unplugged(program) as served:
        for answer in (noise, other_revision, drip, silence):
            served.unplug()
            served.miss()
            over, asked, before = threading.Event(), 0, served.server.resident_kib()
            with socket.create_server(("127.0.0.1", served.port)) as listener:
                listener.settimeout(LIMIT)
                until = time.monotonic() + 3
                threads, streams = [], []
                while time.monotonic() < until or not asked:
                    stream, _ = listener.accept()
                    streams.append(stream)
                    threads.append(threading.Thread(target=ignore_errors, args=(answer, stream, over)))
                    threads[-1].start()
                    asked += 1
                    ask_without_device(served.server)
                over.set()
                for stream in streams:
                    reset_on_close(stream)
                    stream.close()
                for thread in threads:
                    thread.join()
            growth = served.server.resident_kib() - before
            assert growth < 16 * 1024, f"{answer.__name__}: {growth} KiB"
            assert served.lost(), f"{answer.__name__} is taken for a BitScope"
            served.plug_in()
            served.is_back()
            seen.append(f"{answer.__name__} {growth} KiB more")
    return ", ".join(seen)


def ignore_errors(answer, stream, over):
    try:
        answer(stream, over)
    except OSError:
        pass  # hung up at


ATTACKS = [
    web_page_writes_the_eeprom, raw_client_writes_the_eeprom, web_page_changes_settings, web_page_turns_the_knobs_of_another,
    device_commands_at_the_web_door, browsers_that_never_read, web_page_probes_by_udp, descriptors_run_out,
    exhaustion_is_waited_out, limit_holds_in_a_burst, raw_client_starves_others, silent_connections_fill_the_queue,
    page_readers_say_nothing, page_is_read_by_a_web_page, stranger_gets_waveforms, logs_are_flooded, refusals_amplify,
    noise_at_every_door, clients_ask_while_the_device_is_gone, device_flaps, another_device_comes_back, device_answers_garbage,
]
