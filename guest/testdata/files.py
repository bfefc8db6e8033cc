# What a program finds in the files of the stack.
import errno, os, socket, subprocess, sys

if sys.argv[1:] == ["stat"]:
    # Where stat(2) is stopped it tells of the stack as well.
    assert os.path.exists("/sys/class/net/dummy7") and not os.path.exists("/sys/class/net/eth0")
    assert os.stat("/sys/class/net/dummy7/mtu").st_size == 4096
    assert os.stat("/proc/sys/net/ipv4/conf/dummy7").st_mode & 0o40000
    assert os.stat("/etc/passwd").st_size > 0 and not os.path.exists("/nothing")
    print("stat: ok")
    sys.exit()

def fails(f, *a):
    try:
        f(*a)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "no error"

def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        return os.write(fd, text)
    finally:
        os.close(fd)

def read(path):
    with open(path) as f:
        return f.read()

# Interfaces are those of the stack, by every name of the directory.
for net in "/proc/net", "/proc/self/net", "/proc/thread-self/net", "/proc/%d/net" % os.getpid(), "/proc//self/./net", "/proc/sys/../net":
    lines = read(net + "/dev").splitlines()
    assert len(lines) == 3 and lines[2].startswith("    lo:"), (net, lines)
assert os.listdir("/sys/class/net") == ["lo"]
assert read("/sys/class/net/lo/type") == "772\n"
assert fails(read, "/sys/class/net/eth0/mtu") == "ENOENT"
assert fails(read, "/sys/class/net/lo/speed") == "EINVAL"
assert fails(os.open, "/proc/net/dev", os.O_WRONLY) == "EACCES"
assert fails(os.open, "/proc/net", os.O_WRONLY) == "EISDIR"
assert fails(os.listdir, "/proc/net/dev") == "ENOTDIR"
assert os.readlink("/proc/net") == "self/net"
assert fails(os.readlink, "/proc/net/dev") == "EINVAL"

# A directory can be walked, and what stat tells of a name is what its descriptor is.
d = os.open("/proc/sys/net/ipv4", os.O_RDONLY | os.O_DIRECTORY)
assert "ip_forward" in os.listdir(d)
assert os.fstat(d).st_ino == os.lstat("/proc/sys/net/ipv4").st_ino
f = os.open("ip_forward", os.O_RDONLY, dir_fd=d)
assert os.read(f, 10) == b"0\n"
assert os.stat("ip_forward", dir_fd=d).st_mode & 0o777 == 0o644
assert os.stat("tcp_available_congestion_control", dir_fd=d).st_mode & 0o777 == 0o444
assert os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK)
assert not os.access("/proc/sys/net/ipv4/tcp_available_congestion_control", os.W_OK)
assert not os.path.exists("/proc/sys/net/ipv4/nothing")
os.chdir("/proc/sys/net")
assert read("ipv4/ip_forward") == "0\n" and read("../../net/dev").count("\n") == 3
os.chdir("/")
assert read("proc/sys/net/ipv4/ip_forward") == "0\n"

# A value is written, or refused.
ttl = "/proc/sys/net/ipv4/ip_default_ttl"
assert write(ttl, b"77\n") == 3 and read(ttl) == "77\n"
assert fails(write, ttl, b"777\n") == "EINVAL"
assert fails(write, ttl, b"many") == "EINVAL"
assert fails(write, "/proc/sys/net/ipv4/tcp_available_congestion_control", b"x") == "EACCES"
held = [os.open(ttl, os.O_RDWR) for _ in range(20)]  # more than there are places
assert os.read(held[0], 10) == b"77\n" and os.read(held[0], 10) == b""
for n, f in enumerate(held):
    os.write(f, b"%d" % (n + 100))
    assert read(ttl) == "%d\n" % (n + 100)
    os.close(f)
subprocess.run(["sh", "-c", "echo 55 >" + ttl], check=True)  # by a duplicate
assert read(ttl) == "55\n"

# A socket has the number that the program's descriptor has, and its user.
s = socket.create_server(("127.0.0.1", 0))
port = "%04X" % s.getsockname()[1]
line = [x.split() for x in read("/proc/net/tcp").splitlines() if "0100007F:" + port in x][0]
assert line[3] == "0A" and "socket:[%s]" % line[9] == os.readlink("/proc/self/fd/%d" % s.fileno()), line
assert int(line[7]) == os.getuid()

# The rest is the host's.
assert read("/proc/self/comm") and read("/etc/passwd")
assert not os.path.exists("/nothing")
print("files: ok")
