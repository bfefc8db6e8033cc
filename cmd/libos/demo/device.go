package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// What the device plays: a tape of some packets, a millisecond apart, again and
// again.
const (
	tapePackets = 100
	tapeEnough  = 200 // before it is killed, and after
	deviceName  = "pcap_replay"
)

// tapeHost is the stack that has the device.
const tapeHost = `
[[instance]]
name = "tape"
[[instance.device]]
name = "replay0"
kind = "replay"
file = %q
loop = 1000000
`

// throughDevice is what the demo tells of a device in a module.
type throughDevice struct {
	Module   string  `json:"module"`
	PID      int     `json:"pid"`
	PIDAfter int     `json:"pid_after"`
	Before   uint64  `json:"frames_before"`
	After    uint64  `json:"frames_after"`
	AwayMS   float64 `json:"away_ms"`
	Restarts int     `json:"restarts"`
}

// withTape adds the stack with the device to a host file, if the module is there.
func (o *options) withTape(text string) (string, bool, error) {
	dir := o.moduleDir
	if dir == "" {
		dir = command.DefaultModuleDir()
	}
	if _, err := os.Stat(filepath.Join(dir, deviceName+".json")); err != nil {
		return text, false, nil
	}
	path, err := filepath.Abs(filepath.Join(o.dir, "tape.pcap"))
	if err == nil {
		err = os.WriteFile(path, tape(), 0o644)
	}
	return text + fmt.Sprintf(tapeHost, path), true, err
}

// tape is a capture (pcap) of datagrams to a port where nobody listens, over raw IP.
func tape() []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4) // the format's version
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 1<<16), 101) // longest packet, LINKTYPE_RAW
	for i := range tapePackets {
		p := make([]byte, 28)
		p[0], p[8], p[9] = 0x45, 64, wire.ProtoUDP
		be.PutUint16(p[2:], uint16(len(p)))
		copy(p[12:], []byte{10, 9, 0, 1, 10, 9, 0, 2})
		be.PutUint16(p[10:], wire.Finish(wire.Sum(p[:20], 0)))
		be.PutUint16(p[22:], 9) // discard
		be.PutUint16(p[24:], 8)
		b = le.AppendUint32(le.AppendUint32(b, 0), uint32(i*1000))
		b = le.AppendUint32(le.AppendUint32(b, uint32(len(p))), uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// device has frames come from the device's module, which is killed in the middle.
func (o *options) device(ctx context.Context, m command.Modules, in *core.Instance) (*throughDevice, error) {
	ctx, cancel := context.WithTimeout(ctx, mostOfAll)
	defer cancel()
	ifc := in.InterfaceByName("replay0")
	status := func() (x command.ModuleInfo) {
		for _, x = range m.List() {
			if x.Name == deviceName {
				return x
			}
		}
		return command.ModuleInfo{}
	}
	look := func() (frames uint64, carrier bool) {
		in.Domain().Do(func() { frames, carrier = ifc.Stats().RxPackets, ifc.Flags()&core.FlagRunning != 0 })
		return frames, carrier
	}
	until := func(what string, ok func() bool) error {
		for !ok() {
			if ctx.Err() != nil {
				return fmt.Errorf("the device replay0 of tape: not so in time: %s", what)
			}
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	enough := func(from uint64) func() bool {
		return func() bool { n, _ := look(); return n >= from+tapeEnough }
	}
	r := &throughDevice{Module: deviceName, PID: status().PID}
	o.say("\n%-10s replay0 of a stack tape in process %d", "device", r.PID)
	if err := until("frames come", enough(0)); err != nil {
		return nil, err
	}
	killed := time.Now()
	p, err := os.FindProcess(r.PID)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		return nil, fmt.Errorf("killing process %d: %w", r.PID, err)
	}
	o.say("%-10s process %d by SIGKILL", "killed", r.PID)
	if err := until("it has no carrier", func() bool { _, on := look(); return !on || status().Restarts > 0 }); err != nil {
		return nil, err
	}
	r.Before, _ = look()
	o.say("%-10s replay0 has no carrier, after %d frames", "told", r.Before)
	if err := until("it has a carrier again", func() bool { _, on := look(); return on }); err != nil {
		return nil, err
	}
	r.AwayMS = float64(time.Since(killed)) / 1e6
	st := status()
	r.PIDAfter, r.Restarts = st.PID, st.Restarts
	o.say("%-10s after %.0f ms, in process %d", "back", r.AwayMS, st.PID)
	if err := until("frames come again", enough(r.Before)); err != nil {
		return nil, err
	}
	n, _ := look()
	r.After = n - r.Before
	return r, nil
}
