package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// errNoPrograms tells that there are no programs to run, or that they cannot be.
var errNoPrograms = errors.New("programs are measured on Linux on amd64 or arm64, as root, with iperf3, nginx, wrk, iproute2 and ethtool installed")

// workload is a server and a client, programs as they come, on two hosts.
type workload struct {
	server []string
	client func(seconds int) []string
	read   func(out []byte) (float64, error) // the figure in what the client prints
}

// The hosts' addresses, for all workloads.
const (
	clientAddress = "10.0.0.1"
	serverAddress = "10.0.0.2"
)

// The programs' port.
const programPort = "5301"

// iperfReport is what iperf3 -J prints at the client.
type iperfReport struct {
	Error string
	End   struct {
		Received struct {
			Rate float64 `json:"bits_per_second"`
		} `json:"sum_received"`
		Sum struct {
			Seconds, Packets float64
			Lost             float64 `json:"lost_packets"`
		}
	}
}

func iperf(read func(r *iperfReport) float64, more ...string) workload {
	return workload{
		server: []string{"iperf3", "-s", "-p", programPort},
		client: func(seconds int) []string {
			return append([]string{"iperf3", "-J", "-c", serverAddress, "-p", programPort, "-t", strconv.Itoa(seconds)}, more...)
		},
		read: func(out []byte) (float64, error) {
			var r iperfReport
			if err := json.Unmarshal(out, &r); err != nil {
				return 0, err
			}
			if r.Error != "" {
				return 0, errors.New(r.Error)
			}
			return read(&r), nil
		},
	}
}

// tcpProgram is a stream of iperf3, in MB/s that have arrived.
func tcpProgram() workload {
	return iperf(func(r *iperfReport) float64 { return r.End.Received.Rate / 8e6 }, "-C", "cubic")
}

// udpProgram is datagrams of 64 bytes, as many as iperf3 can send, in datagrams/s that have arrived.
func udpProgram() workload {
	return iperf(func(r *iperfReport) float64 {
		return (r.End.Sum.Packets - r.End.Sum.Lost) / r.End.Sum.Seconds
	}, "-u", "-b", "0", "-l", "64")
}

// nginxConfiguration is for one process that answers without a file.
const nginxConfiguration = `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000; server { listen ` + programPort + `; location / { return 200 "hello from nginx\n"; } } }
`

// httpProgram is wrk's requests of nginx over 64 connections, in requests/s. The directory of the server has
// nginx.conf.
func httpProgram() workload {
	rate := regexp.MustCompile(`Requests/sec: +([\d.]+)`)
	return workload{
		server: []string{"nginx", "-e", "stderr", "-p", ".", "-c", "nginx.conf"},
		client: func(seconds int) []string {
			return []string{"wrk", "-t", "1", "-c", "64", "-d", strconv.Itoa(seconds), "http://" + serverAddress + ":" + programPort + "/"}
		},
		read: func(out []byte) (float64, error) {
			m := rate.FindSubmatch(out)
			if m == nil {
				return 0, fmt.Errorf("no rate in %q", out)
			}
			return strconv.ParseFloat(string(m[1]), 64)
		},
	}
}

// places runs programs on the two hosts.
type places struct {
	client, server func(c *exec.Cmd) error
	close          func() error
}

// between measures a workload on hosts that are made for it.
func between(make func() (*places, error), w workload) Side {
	return func(b Budget) (Figure, error) {
		p, err := make()
		if err != nil {
			return Figure{}, err
		}
		value, err := p.measure(w, max(1, int(b.CPU/time.Second)))
		return Figure{Value: value}, errors.Join(err, p.close())
	}
}
