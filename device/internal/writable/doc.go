// Package writable waits for the host to take a device's frames again, for drivers
// whose interfaces stop when it does not.
package writable
