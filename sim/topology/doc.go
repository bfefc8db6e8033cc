// Package topology holds networks as graphs, before any stack is there: nodes,
// links with delay and rate, and what can be said of them. It has generators
// (plain.go, tree.go, random.go), readers of files that others publish (gml.go,
// graphml.go, rocketfuel.go, geo.go), shortest paths (paths.go, routing.go), the
// partition of a network over several cores (partition.go), and places for a drawing
// (layout.go, export.go). It knows nothing of
// instances, devices or time, uses no randomness but what it is given, and gives
// equal answers for equal questions. Start reading at graph.go.
package topology
