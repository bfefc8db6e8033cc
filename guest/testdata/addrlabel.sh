# Labels of addresses: what is told of each step, by the kernel and by an instance.
exec 2>/dev/null
ip link set lo up
ip link set eth0 up
ip link add v0 index 21 type veth peer name v1 index 20
x() { echo "\$ $*"; "$@"; echo "= $?"; }
x ip addrlabel
x ip -j addrlabel
x ip addrlabel add prefix fd00::/8 label 99
x ip addrlabel add prefix fd00::/8 label 99
x ip addrlabel add prefix fd00::/8 dev v0 label 98
x ip addrlabel add prefix fd00::/8 dev v1 label 97
x ip addrlabel add prefix fd00::/7 label 97
x ip addrlabel add prefix fd11::1/64 label 96
x ip addrlabel add prefix ::ffff:1.2.3.0/120 label 95
x ip addrlabel add prefix ::ffff:0:0/90 label 95
x ip addrlabel add prefix ::/96 label 95
x ip addrlabel add prefix ::2/128 label 94
x ip addrlabel add prefix fd12::/64 label 0
x ip addrlabel add prefix 10.0.0.0/8 label 6
x ip -j addrlabel
x ip addrlabel del prefix fd77::/8 label 1
x ip addrlabel del prefix fd00::/8 label 1
x ip addrlabel del prefix fd00::/8 dev v0 label 3
x ip addrlabel del prefix ::/0 label 1
x ip link del v0
x ip -j addrlabel
x ip addrlabel flush
x ip addrlabel
x ip addrlabel add prefix fd05::/16 label 7
x ip addrlabel add prefix ::/0 label 1
x ip addr add fd05::1/64 dev eth0 nodad
x ip addr add fd04:ffff::1/64 dev eth0 nodad
x ip -6 route add fd04::/32 dev eth0
x ip -6 route get fd04::9
x ip addrlabel del prefix fd05::/16 label 7
x ip addrlabel add prefix fd04:ffff::/32 label 7
x ip -6 route get fd04::9
