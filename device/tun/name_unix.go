//go:build linux || darwin

package tun

import "github.com/songgao/water"

func parameters(name string) water.PlatformSpecificParams {
	return water.PlatformSpecificParams{Name: name}
}
