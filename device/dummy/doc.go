// Package dummy is a link to nowhere: what is sent is counted and gone, as with Linux's
// dummy devices. Addresses and routes find a place on it. Start reading at dummy.go.
package dummy
