// Package response is no program: reno.toml and cubic.toml are simulations for libos
// sim that measure how goodput depends on losses, and the test holds the results
// against the formulas of the papers.
package response
