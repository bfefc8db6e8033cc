#!/bin/sh
# A web server on a stack without root: sh web.sh [DIRECTORY]. python3 listens at port 80
# of an instance; port 8080 of the host (PORT) leads there.
set -eu
port=${PORT:-8080} dir=${1:-.}
libos run --dev "user,forward=127.0.0.1:$port=80" -- \
	python3 -m http.server --directory "$dir" 80 >/dev/null 2>&1 &
trap 'kill $! 2>/dev/null; wait' EXIT
curl -s --retry 20 --retry-delay 1 --retry-all-errors "http://127.0.0.1:$port/" >/dev/null
echo "open http://127.0.0.1:$port/"
curl -s "http://127.0.0.1:$port/hello" # as a browser would
[ -z "${STAY:-}" ] || wait
