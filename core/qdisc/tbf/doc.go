// Package tbf is the token bucket filter: packets leave at a rate, after an idle
// time a burst at once. Start reading at tbf.go; parse.go is the language of tc.
package tbf
