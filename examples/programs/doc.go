// Package programs is unmodified programs on stacks, as scripts for a shell with libos,
// python3 and curl in its path (Linux):
//
//   - web.sh has a web server on a stack of its own, without root, which a browser of the
//     host reaches through a port of the host;
//   - lab.sh starts the two hosts and the router of lab.toml, has programs of the
//     distribution configure, serve, ask and trace on them, and captures what the router
//     forwards.
//
// Each says what it does; the test runs them and compares what they print.
package programs
