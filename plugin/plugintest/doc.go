// Package plugintest lets the tests of a device run it in a process of its own, as
// a module of which the test binary is the program.
//
// Main is what TestMain calls; Start makes and loads the module, and at the end
// of the test holds against each other what its process and its sessions say of
// the work. CopyOfSelf and CPUTime are for tests of protocols, which load their own.
// Start reading at device.go.
package plugintest
