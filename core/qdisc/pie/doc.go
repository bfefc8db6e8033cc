// Package pie is the discipline of RFC 8033: what comes is dropped with a
// probability that a controller moves by the delay of what leaves. Start reading at
// pie.go; config.go has the options.
package pie
