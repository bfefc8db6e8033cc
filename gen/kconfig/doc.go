// Package kconfig is the Kconfig language of libos: the menu tree and the
// symbols of Kconfig.toml with the meaning Linux gives them, .config in
// kbuild's own format, and the configuration targets (defconfig, olddefconfig,
// allyesconfig and the rest). It knows nothing of Go packages, code
// generation or terminals. Start at load.go (Kconfig.toml to Tree), then
// eval.go (what value a symbol has and why), then
// session.go (the targets).
package kconfig
