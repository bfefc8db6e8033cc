// Package tunio is what the TUN/TAP drivers have in common: options and their
// names in host files, error messages with their cure, the kernel's side of the
// link.
//
// It opens no device: device/tun (portable) and device/tunvnet (Linux, with
// offloads) do. Start reading at options.go.
package tunio
