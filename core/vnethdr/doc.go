// Package vnethdr is the header that Linux puts in front of frames whose
// checksum or segmentation is left to the other side (struct virtio_net_hdr),
// for those that share it: device/tunvnet, device/rawnic and packet sockets (PACKET_VNET_HDR).
//
// It opens nothing and runs on every system. Start reading at header.go.
package vnethdr
