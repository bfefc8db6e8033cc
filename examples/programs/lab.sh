#!/bin/sh
# Two hosts and a router in one process, unmodified programs on each of them, and a
# capture of what the router forwards: sh lab.sh [CAPTURE].
set -eu
here=$(cd "$(dirname "$0")" && pwd) capture=${1:-lab.pcapng} lab=lab$$
on() { i=$1; shift; libos exec --control "$lab" "$i" -- "$@"; }

libos up --control "$lab" "$here/lab.toml" >/dev/null &
up=$!
trap 'kill $up ${server:-} 2>/dev/null; wait' EXIT
until libos list --control "$lab" >/dev/null 2>&1; do kill -0 $up; sleep 0.1; done

# iproute2 and procps finish the configuration.
on left ip addr add 10.1.0.2/24 dev eth0
on left ip route add default via 10.1.0.1
on router sysctl -q -w net.ipv4.ip_forward=1

libos capture --control "$lab" -i router east -w "$capture" >/dev/null &
file=$!
libos exec --control "$lab" right -- python3 -m http.server --directory "$here" 80 >/dev/null 2>&1 &
server=$!
until on right ss -Htln 'sport = :80' | grep -q LISTEN; do kill -0 $server; sleep 0.1; done

on left ping -c 3 -i 0.2 10.2.0.2 | grep received
on left curl -s --retry 20 --retry-delay 1 --retry-connrefused http://10.2.0.2/doc.go | head -n 1
on left traceroute -n -q 1 10.2.0.2 | awk 'NR > 1 { print $1, $2 }'
on router ip -s link show east | grep -A 1 'TX:' | awk 'NR == 2 { print ($2 > 10 ? "forwarded" : "not forwarded") }'
kill -INT $file && wait $file || true
[ -s "$capture" ] && echo "captured"
