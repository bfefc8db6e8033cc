// Package httpd is `libos httpd`: Go's HTTP server on the sockets of an
// instance, for the files of a folder. Start at httpd.go.
package httpd
