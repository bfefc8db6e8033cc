// Package ping is `libos ping`: echo requests from an instance, in the words of
// iputils' ping. The echo client itself is core/ipcommon's Pinger. Start at
// ping.go.
package ping
