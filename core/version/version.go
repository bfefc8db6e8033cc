// Package version says which libos this is, apart from the root package so that a
// module, which is no stack, can say it without linking one.
package version

// Number of the version, by semver.org.
const Number = "0.1.0"

// License of the code, as an SPDX identifier.
const License = "Apache-2.0"
