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
# Policy routing: tables and rules. What is told of it has the routes of all addresses.
n=0
while ip -6 addr show tentative | grep -q inet6; do
	n=$((n + 1)); test $n -lt 100; sleep 0.1
done
ip -batch - <<'BATCH'
route add default via 10.1.0.2 table 100
route add throw 10.30.0.0/16 table 100
route add 10.31.0.0/16 dev eth0 table 100 src 10.1.0.5 metric 3
route add blackhole 10.32.0.0/16 table 1000
route add local 10.33.0.0/16 dev lo
route add local default dev lo table 101
route add fd31::/64 via fd00::2 table 100
route add fd40::/64 nexthop via fd00::2 weight 3 nexthop via fd00::3 dev eth0 weight 256
route add fd41::/64 metric 7 table 100 nexthop via fd00::2 nexthop via fd99::1 dev v1 onlink
route add fd42::/64 nexthop via fd00::2
route append fd42::/64 via fd00::4
route append fd42::/64 nexthop via fd00::15 nexthop via fd00::16
route del fd42::/64 via fd00::2
route append fd42::/64 dev eth0 metric 1024
route replace fd43::/64 via fd00::2
route replace fd43::/64 nexthop via fd00::3 nexthop via fd00::4
route add throw fd32::/64 table 100
route add prohibit fd33::/64 table 4000000000
route add blackhole fd34::/64 table 100
route add local fd35::/64 dev lo table 101
rule add from 10.30.0.0/16 table 100
rule add from 10.30.0.0/16 table 100
rule add fwmark 1/0xff table 1000 prio 5
rule add iif nodev oif eth0 table 100 tos 8 prio 20
rule add goto 32766 from 10.9.0.0/16 prio 10
rule add goto 70 prio 60
rule add unreachable to 10.77.0.0/16 protocol static prio 7
rule add prohibit from 10.78.0.0/16 prio 7
rule add blackhole from 10.79.0.0/16 prio 7
rule add nop
rule add not from 10.0.0.0/8 ipproto tcp sport 5-10 dport 80 table 7 suppress_prefixlength 0 prio 90
BATCH
ip -6 -batch - <<'BATCH'
rule add from fd30::/64 table 55
rule add fwmark 3 table 101
rule add oif eth0 to fd36::/64 lookup 100 prio 9
rule add unreachable iif lo ipproto udp dport 53 to fd77::/16
rule add goto 40000 prio 50
BATCH
tell ip -j -d -s route show table all
tell ip -j -6 -d -s route show table all
tell ip -j -d -s route show table 100
tell ip -j -6 -d -s route show table 100
tell ip -j -d -s route show table all type local
tell ip -j -d -s rule
tell ip -j -6 -d -s rule
tell ip -j -d route get 10.31.0.1 from 10.1.0.1
tell ip -j -d route get 10.31.0.1 mark 7
tell ip -j -d route get 10.55.0.1 mark 1
tell ip -j -d route get fibmatch 10.31.0.1
tell ip -j -6 -d route get fd99::1 mark 3
tell ip -j -6 -d route get fibmatch fd01::7
