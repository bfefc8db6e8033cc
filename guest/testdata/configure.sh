# The same configuration for the kernel and for an instance, with what both tell of it.
set -e
ip link set lo up
ip link set eth0 address 02:00:00:00:00:01 mtu 1400 txqueuelen 500
ip link set eth0 up
n=0
until ip -6 addr show dev eth0 scope link -tentative | grep -q inet6; do
	n=$((n + 1)); test $n -lt 100; sleep 0.1
done
ip -batch - <<'BATCH'
addr add 10.1.0.1/24 dev eth0
addr add 10.1.0.5/24 brd + dev eth0 label eth0:a
addr add 10.3.0.1 peer 10.3.0.2/32 dev eth0
addr add 10.4.0.1/24 dev eth0 valid_lft 1000 preferred_lft 500
addr add fd00::1/64 dev eth0 nodad
addr add fd00::5/64 dev eth0 nodad valid_lft 1000 preferred_lft 500
route add default via 10.1.0.2
route add 10.2.0.0/16 via 10.1.0.2 metric 50 mtu 1300
route add 10.5.0.0/16 dev eth0 src 10.1.0.5
route add blackhole 10.6.0.0/16
route add unreachable 10.7.0.0/16
route add prohibit 10.8.0.0/16 metric 9
route add 10.9.0.0/16 via 10.1.0.3 proto static
route add default via fd00::2
route add fd01::/64 via fd00::2 metric 50
route add fd02::/64 dev eth0
route add unreachable fd03::/64
neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev eth0
neigh add 10.1.0.10 lladdr 02:00:00:00:00:0a dev eth0 nud stale
neigh add fd00::9 lladdr 02:00:00:00:00:09 dev eth0
link add v0 index 21 mtu 1450 address 02:00:00:00:00:20 group 3 type veth peer name v1 index 20 mtu 1300 address 02:00:00:00:00:21 txqueuelen 77
link add v2 index 23 address 02:00:00:00:00:22 type veth peer name w%d index 22 address 02:00:00:00:00:23
link set v0 up
link set v1 up
link set v2 up
addr add 10.12.0.1/24 dev v1
route add 10.20.0.0/16 nexthop via 10.1.0.2 weight 3 nexthop via 10.12.0.2 dev v1
route add 10.21.0.0/16 metric 7 nexthop via 10.99.0.1 dev v1 onlink nexthop dev eth0 weight 256
route add 10.22.0.0/16 nexthop via 10.1.0.2
route add 10.23.0.0/16 dev v2
link property add dev v0 altname first altname averyveryverylongnameofaninterface
addr add 10.11.0.1/24 dev first
BATCH
tc qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 5k latency 50ms
tell() { echo "## $*"; "$@"; echo; }
ip ntable change name arp_cache dev eth0 base_reachable 20000 queue 20
ip ntable change name ndisc_cache dev v0 gc_stale 90000 retrans 500
tell ip -j -d -s link
tell ip -j -d -s addr
tell ip -j -6 -d -s addr
tell ip -j -d -s route show table all
tell ip -j -6 -d -s route show table all
tell ip -j -d -s neigh
tell ip -j ntable show
tell ip -j -d -s rule
tell ip -j -6 -d -s rule
tell ip -j -d route get 10.2.3.4
tell ip -j -6 -d route get fd01::7
tell tc -j -d -s qdisc
