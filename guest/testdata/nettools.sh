# What net-tools do to an interface, by ioctls, and what they and iproute2 show of it.
# Printed, and the same on every system.
exec 2>&1
export LC_ALL=C
D=vv0
ip link add $D type veth peer name p
ip link set p up
four() { ip -4 -o addr show dev $D | sed 's/^[0-9]*: //'; }
link() { ip -o link show $1 | sed 's/^[0-9]*: //; s/qdisc.*qlen/qlen/; s/link-netnsid.*//'; }

ifconfig $D 10.8.0.1 netmask 255.255.0.0 up; ifconfig $D | sed -n 1,2p
ifconfig $D broadcast 10.8.9.9; four
ifconfig $D:1 10.7.0.1/24; four
ifconfig $D:1 | sed -n 1,2p; ifconfig $D:2 | sed -n 1p
ifconfig $D:1 down; four
for c in add add del del add; do ifconfig $D $c fd33::1/64; done
ifconfig $D add fd34::1/128
ip -6 -o addr show dev $D scope global | sed "s/^[0-9]*: //; s/tentative //"
ifconfig $D hw ether 02:00:00:00:00:77; ifconfig $D mtu 1400; ifconfig $D txqueuelen 77; link $D
ifconfig $D mtu 12; ifconfig $D hw ether 01:00:00:00:00:00
ifconfig $D -arp promisc; link $D; ifconfig $D arp -promisc; link $D

route add -net 10.55.0.0/16 gw 10.8.0.9
route add -host 10.66.0.1 dev $D
route add -net 10.77.0.0 netmask 255.255.0.0 reject
route add -net 10.78.0.0/16 gw 10.8.0.4 metric 5
route add -net 10.55.0.0/16 gw 10.8.0.9
route add -net 1.2.3.0/24 gw 99.9.9.9
route add -net 1.2.3.0/24 dev nope
ip route show root 10.0.0.0/8 | grep -v 10.0.2; route -n | grep -v 10.0.2
route del -net 10.55.0.0/16; route del -net 10.55.0.0/16
route del -net 10.77.0.0 netmask 255.255.0.0 reject; ip route show root 10.0.0.0/8 | grep -v 10.0.2
route -A inet6 add fd44::/64 gw fd33::9 dev $D; route -A inet6 add fd44::/64 gw fd33::9 dev $D
ip -6 route show root fd44::/16
route -A inet6 del fd44::/64 gw fd33::9 dev $D; route -A inet6 del fd44::/64 gw fd33::9 dev $D

arp -s 10.8.0.50 02:00:00:00:00:50; arp -s 10.8.0.51 02:00:00:00:00:51 temp
arp -n 10.8.0.50; arp -n -i $D | sort; arp -d 10.8.0.50; arp -d 10.8.0.50; arp -n -i $D
arp -s 203.0.113.1 02:00:00:00:00:50 -i nope

ifconfig $D 0.0.0.0; four
nameif w0 02:00:00:00:00:77; ip link set $D down; nameif w0 02:00:00:00:00:77; ifconfig w0 up; link w0
ifconfig w0 down; link w0
ifconfig nope up
true # what matters is printed
