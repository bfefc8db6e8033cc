# What members of a fanout group get of what goes over lo.
import ctypes, socket, struct, time
SOL_PACKET, STATISTICS, FANOUT, DATA = 263, 6, 18, 22
HASH, LB, CBPF, EBPF, DEFRAG, IGNORE = 0, 1, 6, 7, 0x80, 0x40

def group(n, id, mode, flags=0, typ=socket.SOCK_RAW):
    all = []
    for i in range(n):
        s = socket.socket(socket.AF_PACKET, typ, socket.htons(3))
        s.bind(("lo", 3))
        s.settimeout(2)
        s.setsockopt(SOL_PACKET, FANOUT, struct.pack("HH", id, mode | flags << 8))
        all.append(s)
    return all

def counts(all):
    return [struct.unpack("II", s.getsockopt(SOL_PACKET, STATISTICS, 8)) for s in all]

def fails(what, f):
    try:
        print(what, f())
    except OSError as e:
        print(what, e.strerror)

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 7008))
udp.connect(("127.0.0.1", 7008))

# The last byte of what is sent chooses; of a received frame offsets begin at the IP header.
g = group(3, 7, CBPF, IGNORE)
code = b"".join(struct.pack("HBBI", *i) for i in ((0x30, 0, 0, 28), (0x16, 0, 0, 0)))
memory = ctypes.create_string_buffer(code)
g[1].setsockopt(SOL_PACKET, DATA, struct.pack("HxxxxxxQ", 2, ctypes.addressof(memory)))
for b in b"\0\1\2\3\4\4":
    udp.send(bytes([b]))
for s, n in zip(g, (2, 3, 1)):
    print([s.recv(100)[42:] for _ in range(n)])
print(counts(g))
fails("no program", lambda: g[0].setsockopt(SOL_PACKET, DATA, struct.pack("HxxxxxxQ", 0, ctypes.addressof(memory))))
fails("no memory", lambda: g[0].setsockopt(SOL_PACKET, DATA, struct.pack("HxxxxxxQ", 1, 8)))
fails("half", lambda: g[0].setsockopt(SOL_PACKET, DATA, bytes(8)))
[s.close() for s in g]

# Fragments: with the flag a member gets the whole.
def checksum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~(n + (n >> 16)) & 0xffff

def fragment(id, off, more, data):
    def header(sum):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), id, more << 13 | off // 8, 64, 17, sum, b"\x7f\0\0\1", b"\x7f\0\0\1")
    return bytes(12) + b"\x08\0" + header(checksum(header(0))) + data

out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("lo", 0))
for flags in (IGNORE, IGNORE | DEFRAG):
    for typ in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        g = group(2, 8, LB, flags, typ)
        body = struct.pack("!4H", 7008, 7008, 2408, 0) + bytes(range(240)) * 10
        for at in (800, 0, 1600): # in another order, and one of another packet
            out.send(fragment(flags + typ, at, at < 1600, body[at:at+808 if at == 1600 else at+800]))
        out.send(fragment(1, 0, 0, body[:8]))
        out.send(fragment(2, 8, 1, body[:8]))
        time.sleep(0.2)
        frames = [(len(f), f[-3:].hex(), f[:26].hex()) for s in g for f in [s.recv(9000) for _ in range(counts([s])[0][0])]]
        print(flags, typ, frames)
        [s.close() for s in g]

# Who has been closed is in no group any more.
for i in range(20):
    [s.close() for s in group(2, 9, (HASH, LB)[i % 2])]
print("left")
