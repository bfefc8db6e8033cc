# Routes beside others, and metrics: what is told of each step, by the kernel and by an
# instance.
ip link set lo up
ip link set eth0 up
ip addr add 10.0.0.1/24 dev eth0
ip addr add fd00::1/64 dev eth0 nodad
x() { echo "\$ $*"; "$@" >$out 2>/dev/null; echo "= $?"; grep -v 'fe80\|10.0.0.0/24' $out; }
out=$(mktemp)
x ip route add 10.9.0.0/16 via 10.0.0.2
x ip route add 10.9.0.0/16 via 10.0.0.3
x ip route append 10.9.0.0/16 via 10.0.0.3
x ip route append 10.9.0.0/16 via 10.0.0.3
x ip route append 10.9.0.0/16 via 10.0.0.4
x ip route prepend 10.9.0.0/16 via 10.0.0.5
x ip route prepend 10.9.0.0/16 via 10.0.0.2
x ip route prepend 10.9.0.0/16 via 10.0.0.2 metric 7
x ip route
x ip route get 10.9.0.1
x ip route get 10.9.0.1 from 10.0.0.2 iif eth0
sysctl -q net.ipv4.conf.all.forwarding=1
x ip route get 10.9.0.1 from 10.0.0.2 iif eth0
x ip route change 10.9.0.0/16 via 10.0.0.6
x ip route replace 10.9.0.0/16 via 10.0.0.7
x ip route
x ip route replace 10.9.0.0/16 via 10.0.0.3
x ip route del 10.9.0.0/16 via 10.0.0.4
x ip route del 10.9.0.0/16
x ip route
x ip route append 10.10.0.0/16 via 10.0.0.4
x ip route append 10.10.0.0/16 nexthop via 10.0.0.4 nexthop via 10.0.0.5
x ip route append blackhole 10.10.0.0/16
x ip route change 10.77.0.0/16 via 10.0.0.4
x ip route
x ip route add 10.20.0.0/16 via 10.0.0.2 mtu 1400 advmss 1000 window 2000 rtt 100ms rttvar 50ms rto_min 20ms initcwnd 20 initrwnd 30 hoplimit 9 quickack 1 congctl reno features ecn reordering 5 ssthresh 77 cwnd 44
x ip route add 10.21.0.0/16 via 10.0.0.2 mtu lock 1400 advmss lock 1000 window lock 2000 rtt lock 100ms hoplimit lock 9
x ip route add 10.22.0.0/16 via 10.0.0.2 congctl nosuch
x ip route add 10.22.0.0/16 via 10.0.0.2 advmss 99999
x ip route add 10.23.0.0/16 via 10.0.0.2 mtu 99999
x ip route add 10.24.0.0/16 via 10.0.0.2 window 0 mtu 0
x ip route add 10.25.0.0/16 via 10.0.0.2 congctl lock reno
x ip route add 10.26.0.0/16 via 10.0.0.2 fastopen_no_cookie 1
x ip route add fd01::/64 via fd00::2 mtu 1400 advmss 1000 window 2000 rtt 100ms rttvar 50ms rto_min 20ms initcwnd 20 initrwnd 30 hoplimit 9 quickack 1 congctl reno features ecn reordering 5 ssthresh 77 cwnd 44
x ip route
x ip -6 route
x ip -j route show 10.20.0.0/16
x ip route get 10.20.0.1
x ip route get 10.21.0.1
x ip -6 route get fd01::1
x ip route del 10.20.0.0/16 mtu 1300
x ip route del 10.20.0.0/16 advmss 7
x ip route del 10.20.0.0/16 mtu 1400 advmss 1000
x ip route add 10.30.0.0/16 via 10.0.0.2 mtu 1300
x ip route append 10.30.0.0/16 via 10.0.0.2 mtu 1301
x ip route append 10.30.0.0/16 via 10.0.0.2 mtu 1301
x ip route del 10.30.0.0/16 via 10.0.0.2 mtu 1301
x ip route
rm $out
