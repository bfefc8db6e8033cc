// Package modules is `libos modprobe`, `rmmod`, `lsmod` and `modinfo`, and what
// `libos up` needs to have modules at all: a binary without this package has
// nothing of plugin/modules either. The life of modules is known to
// plugin/modules only. Start at commands.go; host.go is the side of the running
// stack, info.go reads manifests.
package modules
