// Package build turns a configuration into a binary: it solves the .config,
// decides by hashes what is stale, has the chosen packages scanned and the code
// emitted into build/NAME/.gen, compiles with an overlay, and measures the
// result. The language is in kconfig, the code's text in emit. Start at
// build.go; state.go is what makes the second build do nothing.
package build
