# What a program sees of streams: printed, and the same on every system.
import errno, select, socket, struct, threading, time

def name(e):
    return errno.errorcode.get(e, e)

def attempt(f, *a):
    try:
        return f(*a)
    except OSError as e:
        return name(e.errno)

def poll(s, ms=2000, events=0x2007):
    p = select.poll()
    p.register(s, events)
    return [hex(e) for _, e in p.poll(ms)]

def soon(s, event):
    poll(s, 5000, event)
    return poll(s, 0)

l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", 0))
l.listen(5)
to = l.getsockname()
print("listener", poll(l, 0), l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
l.setblocking(False)
print("nothing to accept", attempt(l.accept))
l.setblocking(True)

print("kinds", [l.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL)])

s = socket.socket()
f = socket.socket()
print("fresh addressed", attempt(f.sendto, b"x", socket.MSG_NOSIGNAL, to), attempt(f.sendmsg, [b"x"], [], socket.MSG_NOSIGNAL, to))
print("fresh peer", attempt(f.getpeername), attempt(f.shutdown, socket.SHUT_WR))
s.connect(to)
print("pending", poll(l))
c, a = l.accept()
print("accepted", a == s.getsockname(), c.getsockname() == to, poll(l, 0))
print("both idle", poll(s, 0), poll(c, 0))
s.sendall(b"hello")
print("arrived", soon(c, 1), c.recv(3, socket.MSG_PEEK), c.recv(100))
s.sendmsg([b"two ", b"pieces"])
print(c.recvmsg(100))
print("addressed", s.sendto(b"address ", to), s.sendmsg([b"and ", b"message"], [], 0, ("127.0.0.2", 9)), c.recv(19, socket.MSG_WAITALL))
def addressed(b):
    while b:
        b = b[s.sendto(b, to):]
big = bytes(range(256)) * 10000
t = threading.Thread(target=addressed, args=(big,))
t.start()
got = b""
while len(got) < len(big):
    got += c.recv(1 << 20)
t.join()
print("big by addresses", got == big)
big = bytes(range(256)) * 20000
t = threading.Thread(target=s.sendall, args=(big,))
t.start()
got = b""
while len(got) < len(big):
    got += c.recv(1 << 20)
t.join()
print("big", got == big)
s.shutdown(socket.SHUT_WR)
print("end", soon(c, 0x2000), c.recv(10), attempt(s.sendto, b"x", socket.MSG_NOSIGNAL, to))
c.sendall(b"still")
print(s.recv(10))
c.close()
print("over", soon(s, 0x10), s.recv(10))
s.close()

s = socket.socket()
s.setblocking(False)
print("connecting", name(s.connect_ex(to)), poll(s), name(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
c, a = l.accept()
c.settimeout(0.05)
try:
    c.recv(1)
except TimeoutError:
    print("timeout")
c.close()
s.close()

s = socket.socket()
s.bind(("127.0.0.1", 0))
free = s.getsockname()
s.close()
print("refused", attempt(socket.create_connection, free))
s = socket.socket()
s.setblocking(False)
s.connect_ex(free)
poll(s)
time.sleep(0.1) # the events of a refusal come one after the other
print("refused later", poll(s), name(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), attempt(s.getpeername))
s.close()

s = socket.create_connection(to)
c, a = l.accept()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
print("reset", bool(poll(s)))
s.close()
print("second bind", attempt(socket.socket().bind, to))
l.close()
for _ in range(20): # the address is free at once
    l = socket.socket()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind(to)
    l.listen()
    l.close()
print("bound again")
