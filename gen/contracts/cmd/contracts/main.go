// Command contracts runs the analyzers of gen/contracts over packages:
//
//	go run ./gen/contracts/cmd/contracts ./...
//
// It prints file:line: message per breach and exits non-zero if there is one;
// `contracts help NAME` prints a rule.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/libos-go/libos/gen/contracts"
)

func main() { multichecker.Main(contracts.Analyzers()...) }
