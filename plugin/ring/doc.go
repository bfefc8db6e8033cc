// Package ring moves records (messages of bytes) between two processes through
// shared memory: the process of the stack, called the host, and the process of
// one module. It knows nothing of packets or protocols, and starts no process.
//
// # Layout
//
// A [Link] is one session. Its memory is two memfds by writer: what the host
// writes and what the module writes. Each holds
//
//	a page of control words   each on 128 bytes of its own
//	the main ring             512 KiB unless [Options] say otherwise
//	the ring of answers       256 KiB
//
// and every ring is mapped twice in a row, so that no record wraps. The control
// words of a side are, for each of the two lanes, the head of the ring that it
// writes, the tail of the ring that it reads, and two sleep words: "I wait for
// records" and "I wait for room". Heads and tails count bytes since the start of
// the session and never wrap. Page 0 of the host's memory begins with what the
// module needs to map both: magic, version and the sizes.
//
// A record begins at a multiple of 8 bytes with its length (4 bytes, the order
// of the machine) and 4 bytes of nothing; its bytes follow, and the next record
// at the next multiple of 8. Nothing is longer than half a ring less 8 bytes, so
// that half a ring of room is room for any record.
//
// # Sleep and doorbells
//
// A side that finds nothing to do spins for some microseconds, while that pays
// and another processor is there, and then sleeps: it writes its sleep word
// (an epoch, whose lowest bit says wanted), looks once more, and waits. Who publishes a head or
// a tail reads that word and, if it is wanted, writes one byte into a pipe, once
// an epoch. No system call is made for a peer that is awake. A reader tells of
// room when half of the ring is empty. The pipe of each direction serves all four
// waits; one goroutine a Link listens to it, wakes who can go on, and sees by its
// end-of-file that the peer is gone.
//
// # Trust
//
// The module trusts the host. The host trusts no byte that the module can write:
//
//   - the host makes both memfds and seals them before anyone else has them: its
//     own against any new writable mapping, the module's against a change of its
//     size, which would kill the host by SIGBUS;
//   - it keeps its own head and tail, reads an index of the module's once and
//     checks distance and alignment, reads a length once and checks it, and copies
//     a record out before anyone sees it;
//   - what makes no sense is a [Fault]: counted, and the end of that ring. A
//     session with a fault is ended and replaced, never repaired;
//   - it never blocks on a pipe, and takes no more doorbells than there was work to tell of.
//
// # Goroutines
//
// A ring has one producer and one consumer and no lock. One goroutine at a time
// calls the methods of a [Writer], one at a time those of a [Reader]; only
// [Reader.Ready] and the methods of [Link] may be called by any. The four
// readers and writers of a Link's end are independent of each other.
//
// # Where to begin
//
// link.go is the session, writer.go and reader.go the two ends of a ring,
// sleeper.go the wait. memory_linux.go makes, seals and maps; files_linux.go
// hands descriptors over a Unix socket. Other systems than Linux have no sealed
// memfds: there [Host] and [Module] return [ErrUnsupported].
package ring
