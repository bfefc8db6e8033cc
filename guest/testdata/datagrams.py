# What a program sees of datagrams: printed, and the same on every system.
import errno, select, socket, struct

def attempt(f, *a):
    try:
        return f(*a)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)

def readable(s):
    return bool(select.select([s], [], [], 2)[0])

for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    a = socket.socket(family, socket.SOCK_DGRAM)
    b = socket.socket(family, socket.SOCK_DGRAM)
    a.bind((host, 0))
    b.bind((host, 0))
    an, bn = a.getsockname(), b.getsockname()
    for x in (b"one", b"", b"three" * 1000):
        b.sendto(x, an)
    print([(len(x), f == bn) for x, f in (a.recvfrom(9000) for _ in range(3))])
    for i in range(50):
        b.sendto(b"%d" % i, an)
    calls = (lambda: a.recv(10), lambda: a.recvfrom(10)[0], lambda: a.recvmsg(10)[0])
    got = [calls[i % 3]() for i in range(50)] # any mix of calls keeps boundaries and order
    print(got == [b"%d" % i for i in range(50)])
    b.sendto(b"0123456789", an)
    print(readable(a), a.recv(4, socket.MSG_PEEK), a.recvmsg(4)[0::2])
    a.setblocking(False)
    print(attempt(a.recv, 10), attempt(a.recvfrom, 10))
    a.setblocking(True)
    b.connect(an)
    b.send(b"connected")
    x, f = a.recvfrom(20)
    print(x, f == bn, b.getpeername() == an)
    a.sendto(b"back", f)
    print(b.recv(10))
    b.send(b"before")
    b.send(b"one ", socket.MSG_MORE) # the parts of a datagram
    b.sendmsg([b"and ", b"two "], [], socket.MSG_MORE)
    b.send(b"and three")
    b.send(b"after")
    print([a.recv(100) for _ in range(3)])
    a.close()
    while not select.select([b], [], [], 0.05)[0]: # the end of a socket takes its time
        attempt(b.send, b"nobody")
    print(attempt(b.recvfrom, 10))
    print(attempt(socket.socket(family, socket.SOCK_DGRAM).getpeername), attempt(b.sendto, b"x" * 70000, an))
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(("127.0.0.1", 0))
a.setsockopt(socket.IPPROTO_IP, 8, 1) # IP_PKTINFO
a.setsockopt(socket.IPPROTO_IP, 12, 1) # IP_RECVTTL
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
b.sendto(b"x", a.getsockname())
_, control, _, _ = a.recvmsg(10, 200)
print(sorted((level, typ, len(data)) for level, typ, data in control), [struct.unpack("i", d)[0] for l, t, d in control if t == 2])

# An ICMP error polls as one until it is told; with IP_RECVERR, until the queue is empty.
def events(p, ms=1000):
    names = ((select.POLLIN, "IN"), (select.POLLOUT, "OUT"), (select.POLLERR, "ERR"), (select.POLLHUP, "HUP"))
    return [[n for bit, n in names if e & bit] for _, e in p.poll(ms)]

for family, host, level, option in ((socket.AF_INET, "127.0.0.1", socket.IPPROTO_IP, 11), (socket.AF_INET6, "::1", socket.IPPROTO_IPV6, 25)):
    for recverr in 0, 1:
        to = (host, 1) # nobody is there
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(level, option, recverr)
        s.connect(to)
        p, edge = select.poll(), select.epoll()
        p.register(s, select.POLLIN)
        edge.register(s, select.EPOLLIN | select.EPOLLET)
        both = select.poll()
        both.register(s, select.POLLIN | select.POLLOUT)
        print(events(both, 0), events(p, 0), edge.poll(0))
        s.send(b"nobody is there")
        print(events(p), events(both), [e for _, e in edge.poll(1)], edge.poll(0))
        if recverr:
            print(attempt(s.sendmsg, [b"x"]), events(p, 0)) # told, but the queue has it
            data, control, flags, name = s.recvmsg(100, 200, socket.MSG_ERRQUEUE)
            print(data, name[:2] == to[:2], [struct.unpack("IBBB", c[:7]) for l, t, c in control if t == option])
        else:
            print(attempt(s.recvfrom, 10))
        print(events(p, 0), events(both, 0), attempt(s.recvmsg, 10, 200, socket.MSG_ERRQUEUE))
        s.send(b"again")
        print(events(p), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED)
        print(events(p, 0), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        if recverr: # turned off, it empties the queue
            s.setsockopt(level, option, 0)
        print(events(p, 0), attempt(s.recvfrom, 10, socket.MSG_DONTWAIT))
        # Both directions go on.
        other = socket.socket(family, socket.SOCK_DGRAM)
        other.bind((host, 0))
        s.connect(other.getsockname())
        s.send(b"well")
        data, name = other.recvfrom(10)
        other.sendto(b"so", name)
        print(data, events(p), s.recv(10))
        # A datagram and an error wait together; the error is told first.
        other.sendto(b"first", name)
        print(events(p))
        s.connect(to)
        s.sendmsg([b"late"])
        for _ in range(500):
            if events(p, 0) == [["IN", "ERR"]]:
                break
            select.select([], [], [], 0.005)
        print(attempt(s.recvfrom, 10), events(p, 0), attempt(s.recv, 10), events(p, 0))

print(socket.if_indextoname(1), attempt(socket.if_nametoindex, "lo")) # by a socket of AF_UNIX

# What is sent goes with the options of that moment, and before the end that follows.
r, s = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
r.bind(("127.0.0.1", 0))
r.setsockopt(socket.SOL_IP, 12, 1) # IP_RECVTTL
r.settimeout(5)
s.connect(r.getsockname())
for i in range(200):
    s.setsockopt(socket.SOL_IP, socket.IP_TTL, i + 1)
    s.send(bytes([i + 1]))
s.send(b"end")
s.shutdown(socket.SHUT_WR)
other = 0
for i in range(200):
    data, control, _, _ = r.recvmsg(10, 100)
    other += control[0][2][0] != data[0]
print("with another TTL:", other, r.recv(10))

# Each family has flags of its own, also where a socket of IPv6 receives IPv4; but
# IPV6_RECVPKTINFO is for both.
four = [(socket.SOL_IP, name) for name in (8, 12, 13)] # IP_PKTINFO, IP_RECVTTL, IP_RECVTOS
six = [(41, name) for name in (49, 51, 66)] # IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    for options in (four, six, four + six):
        r, s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        r.setsockopt(41, socket.IPV6_V6ONLY, 0)
        r.bind(("::", 0))
        for option in options:
            r.setsockopt(*option, 1)
        s.sendto(b"x", (host, r.getsockname()[1]))
        r.settimeout(5)
        print(family, [r.getsockopt(*option) for option in four + six], r.recvmsg(10, 500)[1])

# Senders are known, also of datagrams that are all the same and of which a program has
# taken some without asking from whom they are.
r, *senders = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4))
for s in (r, *senders):
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
names = [s.getsockname() for s in senders]
wrong = 0
for burst in (1, 30, 100, 100):
    for i in range(burst):
        senders[i * i % 3].sendto(b"same" * (1 + i % 2), r.getsockname())
    for i in range(burst):
        if i < burst // 2 or i % 5:
            r.recv(100)
        else:
            wrong += r.recvfrom(100, socket.MSG_PEEK)[1] != names[i * i % 3]
            wrong += r.recvmsg(100, 100)[3] != names[i * i % 3]
print("wrong senders:", wrong, attempt(r.recv, 1, socket.MSG_DONTWAIT))
