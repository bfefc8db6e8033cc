# Next hop objects: what is told of each step, by the kernel and by an instance.
ip link set lo up
ip link set eth0 address 02:00:00:00:00:01
ip link add v0 index 21 address 02:00:00:00:00:20 type veth peer name v1 index 20 address 02:00:00:00:00:21
for i in eth0 v0 v1; do ip link set $i up; done
ip addr add 10.0.0.1/24 dev eth0
ip addr add fd00::1/64 dev eth0 nodad
ip addr add 10.5.0.1/24 dev v0
ip addr add fd05::1/64 dev v0 nodad
x() { echo "\$ $*"; "$@" >$out 2>/dev/null; echo "= $?"; grep -av fe80 $out; }
wait_for() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); test $n -lt 200 || break; sleep 0.05; done; }
out=$(mktemp)
heard=$(mktemp)
ip monitor nexthop route >>$heard &
monitor=$!
wait_for sh -c "ip route add 10.77.0.0/16 dev eth0; ip route del 10.77.0.0/16; grep -q Deleted $heard"
: >$heard
for i in eth0 v0; do wait_for sh -c "ip nexthop add id 44 dev $i && ip nexthop del id 44"; done
wait_for grep -q 'Deleted id 44 dev v0' $heard
: >$heard
x ip nexthop add id 1 via 10.0.0.2 dev eth0
x ip nexthop add id 2 via fd00::2 dev eth0
x ip nexthop add id 3 blackhole
x ip -6 nexthop add id 6 blackhole
x ip nexthop add id 4 dev eth0
x ip nexthop add id 5 via 10.0.0.3 dev eth0 proto static
x ip nexthop add via 10.0.0.9 dev eth0 onlink
x ip nexthop add id 17 via 10.9.0.3 dev eth0
x ip nexthop add id 18 via fd99::1 dev eth0
x ip nexthop add id 8 group 3
x ip -6 nexthop add id 9 dev v0
x ip nexthop add id 10 group 1,5/5
x ip nexthop add id 12 group 2/9,256
x ip nexthop add id 13 group 1/2/3
x ip nexthop add id 14 group 10
x ip nexthop add id 14 group 1,3
x ip nexthop add id 14 group 1
x ip nexthop add id 19 group 99
x ip nexthop add id 1 via 10.0.0.2 dev eth0
x ip nexthop add id 15 via 10.5.0.77 dev v0
x ip nexthop add id 16 group 15/1/2
x ip nexthop
x ip -d nexthop
x ip -j nexthop
x ip -j -d -s nexthop
x ip route add 10.1.0.0/16 nhid 1 mtu 1400
x ip route add 10.2.0.0/16 nhid 10
x ip route add 10.3.0.0/16 nhid 3
x ip route add 10.4.0.0/16 nhid 4
x ip route add 10.6.0.0/16 nhid 2
x ip route add 10.7.0.0/16 nhid 10 metric 5 src 10.0.0.1
x ip route add 10.8.0.0/16 nhid 99
x ip route add 10.8.0.0/16 nhid 1 via 10.0.0.2
x ip route add 10.8.0.0/16 nhid 1 dev eth0
x ip route add blackhole 10.8.0.0/16 nhid 1
x ip route add 10.9.0.0/16 nhid 16
x ip route add 10.10.0.0/16 nhid 14 table 77
x ip route add 10.1.0.0/16 nhid 4
x ip route replace 10.4.0.0/16 nhid 15
x ip -6 route add fd01::/64 nhid 2
x ip -6 route add fd02::/64 nhid 3
x ip -6 route add fd03::/64 nhid 6
x ip -6 route add fd04::/64 nhid 12
x ip -6 route add fd06::/64 nhid 9 metric 7
x ip -6 route add fd07::/64 nhid 1
x ip -6 route add fd07::/64 nhid 16
x ip -6 route append fd01::/64 nhid 9
x ip -6 route add fd01::/64 via fd00::3
x ip route add 10.11.0.0/16 via inet6 fd00::3 dev eth0
x ip route add 10.12.0.0/16 via inet6 fd00::3
x ip route add 10.13.0.0/16 nexthop via 10.0.0.8 nexthop via inet6 fd00::3 weight 2
x ip route add 10.14.0.0/16 via inet6 fd98::3
x ip -j -d route
x ip -6 -d route
x ip -j route show table 77
for a in 10.1.0.1 10.3.0.1 10.4.0.1 10.6.0.1 10.8.0.1 10.11.0.1; do x ip -j route get $a; done
for a in fd03::1 fd06::1; do x ip -6 -j route get $a; done
x ip route get fibmatch 10.2.0.1
x ip -6 route get fibmatch fd06::1
x ip nexthop show dev eth0
x ip nexthop show id 1
x ip nexthop show id 99
x ip nexthop get id 10
x ip nexthop show groups
x ip -4 nexthop show
x ip -6 nexthop show
x ip nexthop show master eth0
x ip nexthop show fdb
x ip nexthop bucket show
x ip nexthop bucket get id 10 index 0
x ip nexthop bucket get id 99 index 0
x ip nexthop replace id 1 via 10.0.0.4 dev eth0
x ip nexthop replace id 12 group 2
x ip -6 route show fd04::/64
x ip nexthop replace id 10 group 1
x ip nexthop replace id 10 via 10.0.0.9 dev eth0
x ip nexthop replace id 1 group 5
x ip nexthop replace id 1 via fd00::2 dev eth0
x ip nexthop replace id 2 via 10.0.0.2 dev eth0
x ip nexthop replace id 15 blackhole
x ip nexthop replace id 1 blackhole
x ip nexthop replace id 10 group 5,4/4
x ip nexthop replace id 30 via 10.0.0.9 dev eth0
x ip route
sysctl -q net.ipv4.nexthop_compat_mode=0
x ip route
x ip -6 route
x ip nexthop replace id 4 via 10.0.0.44 dev eth0
sysctl -q net.ipv4.nexthop_compat_mode=1
x ip nexthop del id 99
x ip nexthop del id 5
x ip nexthop del id 3
x ip nexthop del id 15
x ip nexthop
x ip route
x ip route del 10.1.0.0/16 nhid 2
x ip route del 10.1.0.0/16 via 10.0.0.4
x ip route del 10.1.0.0/16 nhid 1
x ip route del 10.9.0.0/16
x ip -6 route del fd01::/64 nhid 2
x ip -6 route del fd06::/64
x ip nexthop add id 40 via 10.0.0.40 dev eth0
x ip nexthop add id 41 via 10.5.0.41 dev v0
x ip nexthop add id 42 group 40/41
x ip route add 10.42.0.0/16 nhid 42
x ip link set v1 down
wait_for sh -c '! ip nexthop get id 41' # the kernel tells of carriers later
x ip nexthop
x ip route show 10.42.0.0/16
x ip -6 route show fd01::/64
x ip nexthop add id 43 via 10.5.0.41 dev v0
x ip link set v1 up
wait_for sh -c 'ip nexthop add id 44 dev v0 && ip nexthop del id 44'
x ip nexthop add id 41 via 10.5.0.41 dev v0
x ip route add 10.41.0.0/16 nhid 41
x ip link del v0
x ip nexthop
x ip addr del 10.0.0.1/24 dev eth0
x ip route show 10.42.0.0/16
x ip link set eth0 down
x ip nexthop
x ip route
x ip link set eth0 up
wait_for sh -c 'ip nexthop add id 44 dev eth0 && ip nexthop del id 44'
x ip nexthop add id 50 dev eth0
x ip nexthop flush
x ip nexthop
wait_for grep -q 'Deleted id 50' $heard
kill $monitor
echo "# told"
grep -av "fe80\|ff00\|id 44" $heard
rm $heard $out
