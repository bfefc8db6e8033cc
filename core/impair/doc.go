// Package impair decides what a bad link does to frames: which are lost, held
// back, sent twice, damaged or overtaken, as netem(8) names it. A link device and
// the queueing discipline netem use the same decisions.
//
// Everything is a value: a configuration with Go names ([Config], [Delay], [Loss],
// [Chance], [Reorder], [Rate]) and a state made from it by Start, which draws
// from the caller's random stream and from nothing else. Probabilities are
// between 0 and 1 and are held as fractions of 2³², so that a draw is an integer
// comparison and gives the same on every machine. Nothing here knows packets or
// clocks. Start reading at config.go.
package impair
