// Package file reads networks from TOML files: a thin face of package sim, so that
// what one can say, so can the other. All that is wrong with a file is told before
// anything runs, with line and cure.
//
// Tables: [network], [[node]], [[link]], [[segment]], [[topology]], [[app]], [[at]].
// Read makes a Description; table.go reads values of tables, network.go nodes and
// links, topology.go generators and imports, apps.go and actions.go what happens.
// docs/simulator.md describes the language.
package file
