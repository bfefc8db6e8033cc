package core

// BufferSysctls are the sizes of sockets' buffers (net/core/sock.c). A protocol may
// have settings of its own for what its sockets begin with, as TCP has.
type BufferSysctls struct {
	ReceiveDefault int32 `sysctl:"net.core.rmem_default" default:"212992" range:"2304..67108864" unit:"bytes" help:"Receive buffer that a socket begins with."`
	ReceiveMax     int32 `sysctl:"net.core.rmem_max" default:"4194304" range:"2304..67108864" unit:"bytes" help:"Most that a program can ask for by SO_RCVBUF; a buffer holds twice as much."`
	SendDefault    int32 `sysctl:"net.core.wmem_default" default:"212992" range:"4608..67108864" unit:"bytes" help:"Send buffer that a socket begins with."`
	SendMax        int32 `sysctl:"net.core.wmem_max" default:"4194304" range:"4608..67108864" unit:"bytes" help:"Most that a program can ask for by SO_SNDBUF; a buffer holds twice as much."`
}

// buffers are the settings now. Inside an entry.
func (in *Instance) buffers() *BufferSysctls {
	return in.sysctls.blocks[in.sysctls.buffers].(*BufferSysctls)
}

// freshOptions are the options of a new socket: the Domain's, which all share that
// have changed nothing, or a block of its own where the instance has other sizes.
func (in *Instance) freshOptions() *SocketOptions {
	shared := in.domain.defaults.socket
	if !in.sysctls.own {
		return shared
	}
	b := in.buffers()
	if b.ReceiveDefault == shared.ReceiveBuffer && b.SendDefault == shared.SendBuffer {
		return shared
	}
	o := *shared
	o.ReceiveBuffer, o.SendBuffer = b.ReceiveDefault, b.SendDefault
	return &o
}

// bufferSize is what SO_SNDBUF or SO_RCVBUF make of v bytes: twice as much, for
// what the core needs beside, of at least least bytes. most bounds the plain
// options, which take a negative v for more than that, and not the forced ones
// (sock_setsockopt, net/core/sock.c).
func bufferSize(v int, force bool, least int, most int32) int32 {
	if !force && (v < 0 || v > int(most)) {
		v = int(most)
	}
	return int32(min(max(2*v, least), maxBuffer))
}
