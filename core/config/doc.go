// What lives here: the options of Kconfig.toml as Go constants (config.go,
// generated) and nothing else. A build puts its own config.go in this place by
// `go build -overlay`, so code under a constant that is false is not compiled
// in. Symbols that are read here are marked static in Kconfig.toml. Start at
// config.go; `libosbuild generate --checked-in` writes it.
package config
