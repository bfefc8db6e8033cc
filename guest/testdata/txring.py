# Frames that a program puts into a ring to send from, on lo, and those that come back.
import mmap, os, select, socket, struct, time
SOL_PACKET, RX_RING, VERSION, TX_RING, LOSS, VNET = 263, 5, 10, 13, 14, 15

def fails(what, f):
    try:
        print(what, f())
    except OSError as e:
        print(what, e.strerror)

def frame(n, mark):
    return bytes(12) + b"\x08\0\x45" + bytes([mark]) + bytes(n - 16)

class Ring:
    def __init__(self, version, size=2048, frames=8, receive=False):
        self.s = s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind(("lo", 0))
        s.setsockopt(SOL_PACKET, VERSION, version)
        geometry = struct.pack("7I", 4096, size * frames // 4096, size, frames, 0, 0, 0)
        fails("no ring", lambda: mmap.mmap(s.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        s.setsockopt(SOL_PACKET, TX_RING, geometry)
        n = size * frames
        if receive:
            s.setsockopt(SOL_PACKET, RX_RING, geometry[:16] + struct.pack("3I", 10, 0, 0))
            n *= 2
        for bad in n - 4096, n + 4096:
            fails("another size", lambda: mmap.mmap(s.fileno(), bad, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        self.m = mmap.mmap(s.fileno(), n, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        fails("a second ring", lambda: s.setsockopt(SOL_PACKET, TX_RING, geometry))
        self.base = n - size * frames
        self.size, self.frames = size, frames
        self.status, self.length, self.data = ((0, 8, 32), (0, 4, 32), (20, 16, 48))[version]

    def put(self, i, b):
        at = self.base + i * self.size
        self.m[at+self.data:at+self.data+len(b)] = b
        self.m[at+self.length:at+self.length+4] = struct.pack("I", len(b))
        self.m[at+self.status:at+self.status+4] = struct.pack("I", 1)

    def states(self):
        return [struct.unpack("I", self.m[at:at+4])[0] for at in range(self.base + self.status, self.base + self.size * self.frames, self.size)]

    def settled(self):
        for _ in range(500):
            if not {1, 2} & set(self.states()):
                break
            time.sleep(0.002)
        return self.states()

sink = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
sink.bind(("lo", 0x800))
sink.settimeout(2)

def arrived(n):
    return sorted((len(b), b[15]) for b in (sink.recv(9000) for _ in range(n)))

for version in 0, 1, 2:
    r = Ring(version)
    p = select.poll()
    p.register(r.s, select.POLLOUT)
    print(version, p.poll(0) == [(r.s.fileno(), select.POLLOUT)], r.states())
    for i in range(5):
        r.put(i, frame(60 + i, i))
    print("send", r.s.send(b""), r.states(), arrived(5))
    for i in 5, 6, 7, 0:
        r.put(i, frame(100 + i, i))
    print("send of something", r.s.send(b"xyz") > 0, r.settled(), arrived(4))
    r.put(1, frame(200, 9))
    print("write", os.write(r.s.fileno(), b"") >= 0, r.settled(), arrived(1))
    r.put(2, frame(201, 9))
    print("sendmsg", r.s.sendmsg([b""]), r.settled(), arrived(1))
    r.put(3, frame(202, 9))
    print("sendto", r.s.sendto(b"", ("lo", 0x800)), r.settled(), arrived(1))
    print("nothing", r.s.send(b"", socket.MSG_DONTWAIT))
    r.put(4, frame(13 + 3, 1)[:13])
    fails("short", lambda: r.s.send(b""))
    print(r.states())
    r.put(4, frame(203, 1))
    print("mended", r.s.send(b""), r.states(), arrived(1))
    # Many rounds, without a pause.
    total = 0
    for i in range(100):
        at = (5 + i) % 8
        r.put(at, frame(300, i & 0xff))
        total += r.s.send(b"")
    print("rounds", total, sum(n for n, _ in arrived(100)))
    r.m.close()
    r.s.close()

# Both rings of one socket, of which frames of its own are none.
r = Ring(1, receive=True)
r.put(0, frame(77, 1))
print("both", r.s.send(b""), r.states(), arrived(1), r.m[:4])

# A child sends what is in the ring it has got.
r = Ring(1)
r.put(0, frame(88, 1))
if not os.fork():
    r.put(1, frame(89, 2))
    print("child", r.s.send(b""), flush=True)
    os._exit(0)
os.wait()
print("parent", r.states(), arrived(2))

# Ordinary sockets send nothing, too.
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 0))
u.connect(u.getsockname())
u.settimeout(2)
print("empty datagram", u.send(b""), u.recv(10))
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
c = socket.create_connection(l.getsockname())
print("empty send", c.send(b""))
