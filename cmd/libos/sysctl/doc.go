// Package sysctl is `libos sysctl`: the settings of an instance under Linux's
// names, as sysctl(8) reads and writes them. What settings there are is known to
// core/sysctl and the packages that declare them. Start at sysctl.go.
package sysctl
