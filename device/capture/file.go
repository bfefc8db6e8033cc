package capture

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// errLimit ends a capture into one file. It is no failure.
var errLimit = errors.New("the limit of the file is reached")

// output is the file being written. It belongs to the writer.
type output struct {
	w       io.Writer
	ng      *pcapgo.NgWriter
	comment string
	limit   int64
	size    int64 // bytes written to the current file
	known   int   // interfaces described in the current file

	path  string // of a file that we opened
	file  *os.File
	files int
}

// Create makes a capture that writes to a new file at path; an older one is
// replaced.
func Create(path string, o Options) (*Capture, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return start(&Capture{options: o, out: output{w: f, file: f, path: path, files: o.Files}}), nil
}

// blockSize is the size of an enhanced packet block with a flags option and an
// end of options (draft-ietf-opsawg-pcapng, section 4.3).
func blockSize(kept int) int64 { return 28 + int64(kept+3)&^3 + 8 + 4 + 4 }

// frame writes one frame, in a new file of the ring where it needs one.
func (o *output) frame(c *Capture, f *frame, data []byte) error {
	if o.limit > 0 && o.size+blockSize(len(data)) > o.limit && o.size > 0 {
		if o.files < 2 || o.path == "" {
			return errLimit
		}
		if err := o.rotate(); err != nil {
			return err
		}
	}
	if err := o.describe(c, f.tap.index+1); err != nil {
		return err
	}
	direction := pcapgo.NgEpbFlagDirectionInbound
	if f.out {
		direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	err := o.ng.WritePacketWithOptions(f.info(len(data)), data, pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: direction}})
	o.size += blockSize(len(data))
	return err
}

// describe makes sure that the first n interfaces are in the file.
func (o *output) describe(c *Capture, n int) error {
	if n <= o.known {
		return nil
	}
	if c.wake != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
	}
	for ; o.known < n; o.known++ {
		info := c.taps[o.known].info
		var err error
		if o.ng == nil {
			err = o.open(info)
		} else {
			_, err = o.ng.AddInterface(info)
		}
		if err != nil {
			return err
		}
		o.size += 20 + 4 + int64(len(info.Name)+3)&^3 + 8 + 4
	}
	return nil
}

func (o *output) open(first pcapgo.NgInterface) (err error) {
	o.size += 64 + int64(len(o.comment))
	o.ng, err = pcapgo.NewNgWriterInterface(o.w, first, pcapgo.NgWriterOptions{
		SectionInfo: pcapgo.NgSectionInfo{Application: "libos", Comment: o.comment}})
	return err
}

// rotate shifts the ring by one and starts a new file.
func (o *output) rotate() error {
	if err := errors.Join(o.flush(), o.file.Close()); err != nil {
		return err
	}
	name := func(i int) string {
		if i == 0 {
			return o.path
		}
		return fmt.Sprintf("%s.%d", o.path, i)
	}
	for i := o.files - 2; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.Create(o.path)
	if err != nil {
		return err
	}
	o.file, o.w, o.ng, o.size, o.known = f, f, nil, 0, 0
	return nil
}

func (o *output) flush() error {
	if o.ng == nil {
		return nil
	}
	return o.ng.Flush()
}

// close describes interfaces that sent nothing, so that the file is never
// empty, and ends it.
func (o *output) close(c *Capture) error {
	var err error
	if o.known == 0 && o.ng == nil && len(c.taps) == 0 {
		err = o.open(pcapgo.NgInterface{Name: "none", LinkType: layers.LinkTypeRaw})
	}
	for ; err == nil && o.known < len(c.taps); o.known++ {
		if o.ng == nil {
			err = o.open(c.taps[o.known].info)
		} else {
			_, err = o.ng.AddInterface(c.taps[o.known].info)
		}
	}
	err = errors.Join(err, o.flush())
	if o.file != nil {
		err = errors.Join(err, o.file.Close())
	}
	return err
}
