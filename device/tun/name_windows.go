package tun

import "github.com/songgao/water"

func parameters(name string) water.PlatformSpecificParams {
	return water.PlatformSpecificParams{ComponentID: "tap0901", InterfaceName: name, Network: "192.168.1.10/24"}
}
