// Command libosbuild configures libos and builds it: the kbuild targets over
// Kconfig.toml (defconfig, menuconfig, olddefconfig and the rest), and the
// generator. Here live flags and text only; the work is done by the libraries
// below gen. Start at commands.go, which lists the subcommands.
package main
