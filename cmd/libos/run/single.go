package run

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// single is a stack of one instance, as flags say it.
type single struct {
	device            string // kind and parameters, with commas between; "" for the host's network
	addresses, routes []string
}

// usual are the guest's addresses and routes on a device of kind user.
var usual = [...]struct{ address, route string }{{"10.0.2.15/24", "default via 10.0.2.2"}, {"fec0::15/64", "default via fec0::2"}}

// hostFile is file, or if that is "" what s says.
func (s *single) hostFile(e *command.Env, file string) (*command.HostFile, error) {
	if file != "" {
		return e.ReadHostFile(file)
	}
	w := e.Built()
	device := map[string]any{"name": "eth0"}
	kind, parameters, _ := strings.Cut(s.device, ",")
	if kind == "" {
		kind = "user"
		if _, err := command.Kind(w, kind); err != nil && parameters == "" {
			kind = "none"
		}
	}
	device["kind"] = kind
	for _, p := range strings.Split(parameters, ",") {
		k, v, ok := strings.Cut(p, "=")
		switch {
		case p == "":
			continue
		case !ok, k == "kind", k == "link", k == "addresses":
			return nil, fmt.Errorf("--dev %s: %q is no parameter of a device: write NAME=VALUE", s.device, p)
		case k == "name":
			k = "kernel" // a host file's key for the kernel's side
		}
		if old, twice := device[k]; twice {
			v = fmt.Sprint(old, ",", v)
		}
		device[k] = v
	}
	addresses, routes := s.addresses, s.routes
	if kind == "user" && len(addresses) == 0 {
		for _, x := range usual {
			if p, err := wire.ParsePrefix(x.address); err != nil || !serves(w, p.Addr) {
				continue
			}
			addresses = append(addresses, x.address)
			if len(s.routes) == 0 {
				routes = append(routes, x.route)
			}
		}
	}
	instance := map[string]any{"name": "guest"}
	if kind != "none" {
		device["addresses"] = addresses
		instance["device"] = []any{device}
		instance["routes"] = routes
	} else if len(addresses)+len(routes) != 0 {
		return nil, fmt.Errorf("--addr and --route need a device: give one by --dev")
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(map[string]any{"instance": []any{instance}}); err != nil {
		return nil, err
	}
	return e.ParseHostFile("--dev "+s.device, text.String())
}

// serves tells whether the wiring has the network protocol of a.
func serves(w *core.Wiring, a wire.Addr) bool {
	family := core.AFInet6
	if a.Is4() {
		family = core.AFInet
	}
	for i := range w.Networks {
		if w.Networks[i].Network.Family == family {
			return true
		}
	}
	return false
}
