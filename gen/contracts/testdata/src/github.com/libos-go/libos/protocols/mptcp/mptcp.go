package mptcp

import (
	"github.com/libos-go/libos/core/tables"
	"github.com/libos-go/libos/protocols/tcp"
)

const X = tcp.X

func First() int { return tables.Sizes[0] }
