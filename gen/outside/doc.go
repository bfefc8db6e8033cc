// Package outside finds the trees of third parties: Go modules with a Kconfig.toml,
// by their folder, or by module and version through the go command. What their
// Kconfig.toml says is read by gen/kconfig, and their packages are built by
// gen/build. Start at Finder.
package outside
