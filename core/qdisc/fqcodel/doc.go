// Package fqcodel is the discipline fq_codel of RFC 8290: flows by the hash of
// their addresses and ports, served in turn, each under CoDel's law; flows that
// begin go first. Start reading at fqcodel.go; config.go has the options.
package fqcodel
