// Package tunvnet is the TUN/TAP driver for Linux that leaves checksums and
// segmentation to the kernel (IFF_VNET_HDR): each frame is preceded by a
// virtio_net_hdr that says what is left to do.
//
// On other systems Kind reports an error when it is opened; device/tun works
// there. The header's format is core/vnethdr. Start reading at
// tunvnet_linux.go.
package tunvnet
