// Package procfs shows an instance as files, in Linux's formats: /proc/net,
// /proc/sys/net and /sys/class/net (proc(5), Documentation/ABI/testing/sysfs-class-net).
// A file is rendered when it is read; writing to one changes the instance. It knows
// nothing of descriptors or of programs.
//
// Start at fs.go, which finds a file by its path; net.go lists those of /proc/net.
package procfs
