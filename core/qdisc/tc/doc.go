// Package tc is the language of the command tc(8) for queueing disciplines: what
// follows the word tc. Parse makes a Command of it, Apply puts it in force or shows
// what is, in iproute2's words or JSON. The options of each discipline are read by
// its own package, so that a build has those of its disciplines alone.
package tc
