//go:build !linux

package ring

import (
	"net"
	"os"
)

// Host returns ErrUnsupported on this system.
func Host(Options) (*Link, error) { return nil, ErrUnsupported }

// Module returns ErrUnsupported on this system.
func Module([]*os.File) (*Link, error) { return nil, ErrUnsupported }

// SendFiles returns ErrUnsupported on this system.
func SendFiles(*net.UnixConn, []byte, []*os.File) error { return ErrUnsupported }

// ReceiveFiles returns ErrUnsupported on this system.
func ReceiveFiles(*net.UnixConn) ([]byte, []*os.File, error) { return nil, nil, ErrUnsupported }
