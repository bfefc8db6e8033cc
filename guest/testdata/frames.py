# Raw and packet sockets: frames of lo in both directions, and a filter that a pointer
# leads to.
import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26

frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
frames.settimeout(5)


def attach(s, *program):
    code = b"".join(struct.pack("HBBI", *i) for i in program)
    memory = ctypes.create_string_buffer(code)
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxQ", len(program), ctypes.addressof(memory)))


# The protocol of IPv4 in an Ethernet frame is at 23; 40 bytes are enough.
attach(frames, (0x30, 0, 0, 23), (0x15, 0, 1, 253), (0x06, 0, 0, 40), (0x06, 0, 0, 0))
try:
    frames.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, b"short")
    raise SystemExit("half a struct sock_fprog was taken")
except OSError:
    pass

raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
raw.settimeout(5)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.sendto(b"noise", ("127.0.0.1", 9))
raw.sendto(b"0123456789", ("127.0.0.1", 0))
for kind in socket.PACKET_OUTGOING, socket.PACKET_HOST:
    data, address = frames.recvfrom(100)
    assert address[:3] == ("lo", 0x800, kind), address
    assert len(data) == 40 and data[34:] == b"012345", data
data, address = raw.recvfrom(100)
assert address[0] == "127.0.0.1" and data[0] == 0x45 and data[20:] == b"0123456789", (data, address)
print("frames: ok")
