// Package control is what host and module agree on before the first packet: the
// handshake of hashicorp/go-plugin and the calls of module.proto. The host's side
// of it is package modules, the module's package plugin.
//
// module.pb.go and module_grpc.pb.go are made from module.proto by protoc (make
// proto).
package control
