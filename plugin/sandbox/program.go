package sandbox

import "os"

// Program is a program that is about to be started in the outer wall.
type Program struct {
	Path  string
	Env   []string
	Dir   string     // its working folder
	Files []*os.File // descriptors 0, 1, 2, … of the program; they stay the caller's
	// Network is the network namespace of the program, which stays the caller's; nil
	// is that of this process.
	Network *os.File

	Open       bool // no wall at all
	Privileges Privileges
	Limits     Limits
}
