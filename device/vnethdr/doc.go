// Package vnethdr is the header that Linux puts in front of frames whose
// checksum or segmentation is left to the other side (struct virtio_net_hdr),
// for the drivers that share it: device/tunvnet and device/rawnic.
//
// It opens nothing and runs on every system. Start reading at header.go.
package vnethdr
