package main

// Servers of the table that need a configuration file.

const haproxyServer = `cat >haproxy.cfg <<E
defaults
 mode http
 timeout client 5s
 timeout server 5s
 timeout connect 5s
frontend f
 bind :8100
 http-request return status 200 content-type text/plain string hello
E
exec haproxy -db -f haproxy.cfg`

const mosquittoServer = `printf 'listener 1884 0.0.0.0\nallow_anonymous true\n' >m.conf; exec mosquitto -c m.conf`

const ftpServer = `mkdir root; cp $FILES/big root; chmod 755 . root; chmod 644 root/big; cat >v.conf <<E
listen=YES
listen_port=2121
anonymous_enable=YES
anon_root=$PWD/root
background=NO
secure_chroot_dir=$PWD/root
seccomp_sandbox=NO
E
exec vsftpd $PWD/v.conf`

const ntpServer = `printf 'local stratum 5\nallow\ncmdport 0\nport 1123\n' >c.conf; exec chronyd -d -x -f $PWD/c.conf -u root`

const dhcpServer = `: >leases; echo 'subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.50 10.9.0.59; }' >d.conf
exec dhcpd -f -cf $PWD/d.conf -lf $PWD/leases -pf $PWD/pid eth0`

const routerServer = `echo 'interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix fd55::/64 { }; };' >r.conf
sysctl -q -w net.ipv6.conf.all.forwarding=1; exec radvd -n -C $PWD/r.conf -p $PWD/pid -m stderr`
