package core

import "syscall"

// Refusal is an error of POSIX with words for who asked: an errno is too little to tell
// which of many things about a request is wrong.
type Refusal struct {
	Errno syscall.Errno
	Text  string
}

func (r *Refusal) Error() string { return r.Text + ": " + r.Errno.Error() }
func (r *Refusal) Unwrap() error { return r.Errno }

func refuse(errno syscall.Errno, text string) error { return &Refusal{errno, text} }
