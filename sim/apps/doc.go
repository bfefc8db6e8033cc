// Package apps are what nodes of a simulated network do: bulk transfers, datagrams
// at a rate, requests and responses, HTTP, ping and questions to a name server, each
// a plain struct with a Start method, made of sockets and Sleep alone.
//
//	apps.Sink{Port: 80}.Start(server)
//	apps.Bulk{To: server.Address(), Port: 80, For: 10 * time.Second}.Start(client)
//
// Each opens flows that the network samples (sim.Task.Track) and records results
// (sim.Task.Record). Start reading at app.go; registry.go names the apps for files.
package apps
