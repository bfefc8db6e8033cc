//go:build !linux && !darwin && !windows

package tun

import "github.com/songgao/water"

func parameters(string) water.PlatformSpecificParams { return water.PlatformSpecificParams{} }
