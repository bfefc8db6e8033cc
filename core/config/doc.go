// What lives here: the options of Kconfig.toml as Go constants (config.go,
// generated) and nothing else. A build puts its own in their places by
// `go build -overlay`, so code under a constant that is false is not compiled
// in. Symbols that are read so are marked static in Kconfig.toml, and read from
// the package below this one that has those of their Kconfig.toml alone: what
// imports this one is compiled anew for each configuration. Start at config.go;
// `libosbuild generate --checked-in` writes it.
package config
