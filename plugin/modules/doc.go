// Package modules is the host's side of modules: it finds and checks them,
// starts and watches their processes, and gives what they serve to instances.
//
//	m := modules.New(modules.Options{Dirs: []string{"build/default/modules"}})
//	defer m.Close()
//	if err := m.Attach(in, "udp"); err != nil { … }
//
// A [Manager] has one process for each loaded module, whatever the number of
// instances. A module that ends, hangs or breaks the contract costs its own
// sockets; it is started again after a pause that grows while it fails at once.
// Start reading at manager.go; manifest.go is what is checked before anything
// runs, process.go the life of one process.
package modules
