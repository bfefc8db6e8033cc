# What a program sees of the ring of a packet socket on lo.
import ctypes, mmap, os, select, signal, socket, struct, threading, time
SOL_PACKET, RX_RING, STATISTICS, VERSION, HDRLEN = 263, 5, 6, 10, 11
for version, size in ((0, 32), (1, 32), (2, 48)):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
    s.bind(("lo", 0x800))
    buf = ctypes.create_string_buffer(struct.pack("i", version))
    s.setsockopt(SOL_PACKET, VERSION, version)
    ring = struct.pack("7I", 8192, 2, 2048, 8, 20, 0, 0)
    s.setsockopt(SOL_PACKET, RX_RING, ring[:28 if version == 2 else 16])
    before = os.listdir("/proc/self/fd")
    m = mmap.mmap(s.fileno(), 16384, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    print(version, len(m), len(os.listdir("/proc/self/fd")) - len(before) <= 1)
    p = select.poll()
    p.register(s, select.POLLIN)
    print(p.poll(0))
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind(("127.0.0.1", 0)) # to itself
    for i in range(3):
        out.sendto(b"hello ring", out.getsockname())
    print([e for _, e in p.poll(2000)])
    def status(at):
        return struct.unpack("I", m[at:at+4])[0]
    if version == 2:
        while not status(8):
            time.sleep(0.001)
        n, at = struct.unpack("2I", m[12:20])
        for i in range(n):
            after, _, _, snap, whole, st, mac, net = struct.unpack("6I2H", m[at:at+28])
            print(after > 0, snap, whole, st & 1, mac, net, m[at+mac:at+mac+snap][:14].hex(), m[at+mac:at+mac+snap][42:])
            at += after
        m[8:12] = bytes(4)
    else:
        for i in range(3):
            at = i * 2048
            while not status(at):
                time.sleep(0.001)
            form = "QIIHHII" if version == 0 else "IIIHHII"
            st, whole, snap, mac, net, sec, sub = struct.unpack(form, m[at:at+struct.calcsize(form)])
            print(snap, whole, st & 1, mac, net, abs(sec - time.time()) < 5, m[at+mac:at+mac+snap][:14].hex(), m[at+mac:at+mac+snap][42:], m[at+32:at+36].hex())
            m[at:at+4] = bytes(4)
    for i in range(1000): # given back, it is not readable: soon
        if not p.poll(0):
            break
        time.sleep(0.002)
    print(p.poll(50), s.getsockopt(SOL_PACKET, STATISTICS, 12 if version == 2 else 8).hex())
    m.close()
    s.close()
