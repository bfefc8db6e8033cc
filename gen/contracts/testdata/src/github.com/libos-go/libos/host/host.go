// Package host is the edge: clocks, goroutines and state are its business.
package host

import "time"

var Started = map[string]time.Time{}

func Run(c chan int) {
	go func() { <-c }()
	Started["x"] = time.Now()
}
