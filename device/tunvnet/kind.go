package tunvnet

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/tunio"
)

// Kind makes TUN and TAP devices with offloads for host files.
func Kind() core.DeviceKind {
	parameters := tunio.Parameters()
	parameters["offload"] = "yes (the default) leaves transport checksums to the kernel, no completes them here"
	return core.DeviceKind{Kind: "tunvnet", Parameters: parameters, Needs: tunio.Needs(), Open: func(given map[string]string) (core.Device, error) {
		o, err := parse(given)
		if err != nil {
			return nil, err
		}
		return open(o)
	}}
}

func parse(given map[string]string) (tunio.Options, error) {
	rest := make(map[string]string, len(given))
	noOffload := false
	for k, v := range given {
		switch {
		case k != "offload":
			rest[k] = v
		case v == "no":
			noOffload = true
		case v != "yes":
			return tunio.Options{}, &valueError{v}
		}
	}
	o, err := tunio.Parse(rest)
	o.NoOffload = noOffload
	return o, err
}

type valueError struct{ value string }

func (e *valueError) Error() string { return "offload = \"" + e.value + "\": it is yes or no" }
