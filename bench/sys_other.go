//go:build !linux

package main

import (
	"errors"
	"os"
	"time"
)

var errNotLinux = errors.New("measuring needs Linux (CPU pinning, getrusage, /proc/self): run it there")

func cpuTime() time.Duration                { return 0 }
func residentBytes() (int64, error)         { return 0, errNotLinux }
func smallPages() error                     { return errNotLinux }
func cpuTimeOf(int) (time.Duration, error)  { return 0, errNotLinux }
func chooseCPUs(int) ([]int, error)         { return nil, errNotLinux }
func pinThread([]int) (func() error, error) { return nil, errNotLinux }
func isTerminal(*os.File) bool              { return false }
