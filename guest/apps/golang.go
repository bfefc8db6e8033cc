package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
)

// goPrograms is this program as a program of the table, a static one with Go's own
// system calls; false if the arguments are the table's.
func goPrograms(args []string) bool {
	var err error
	switch args[0] {
	case "go-server": // DIRECTORY
		err = http.ListenAndServe(":8088", http.FileServer(http.Dir(args[1])))
	case "go-client": // URL: a hundred requests, ten at a time
		err = fetch(args[1])
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func fetch(url string) error {
	var bytes atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, 10)
	for range 10 {
		all.Go(func() {
			for range 10 {
				res, err := http.Get(url)
				if err == nil {
					var n int64
					n, err = io.Copy(io.Discard, res.Body)
					bytes.Add(n)
					_ = res.Body.Close()
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	fmt.Println("bytes", bytes.Load())
	return nil
}
