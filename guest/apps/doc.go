// Command apps runs programs of the distribution on two instances that a link joins,
// and prints a line for each: PASS or FAIL, and what was run. What a program printed
// decides, and is kept.
//
//	go run ./guest/apps -libos build/default/libos [-broken] [-out DIR] [NAME...]
//
// With -broken the link damages every packet: a row that moves data must fail, and the
// command fails if one passes. rows.go has the table, main.go runs it.
package main
