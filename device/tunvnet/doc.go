// Package tunvnet is the TUN/TAP driver for Linux that leaves checksums and
// segmentation to the kernel (IFF_VNET_HDR): each frame is preceded by a
// virtio_net_hdr that says what is left to do.
//
// On other systems Kind reports an error when it is opened; device/tun works
// there. header.go is the wire format, tunvnet_linux.go the driver. Start
// reading at header.go.
package tunvnet
