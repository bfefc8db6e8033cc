// Package feature narrows a wiring at run time: instances of different
// configurations live in one process, whose binary was built from the union of
// them. Here live the symbols of a build and the .config of an instance, but no
// solver: a .config is taken as libosbuild wrote it. Start at set.go, which
// reads a .config against a build; narrow.go leaves out what it does not choose.
package feature
