package main

const pythonServer = `cd $FILES && exec python3 -m http.server 8000`

const nginxServer = `cat >nginx.conf <<E
daemon off; worker_processes 2; pid $PWD/pid; error_log $PWD/error.log;
events { worker_connections 512; }
http { access_log off; client_body_temp_path $PWD/a; proxy_temp_path $PWD/b; fastcgi_temp_path $PWD/c; uwsgi_temp_path $PWD/d;
scgi_temp_path $PWD/e; keepalive_requests 100000; server { listen 8081 reuseport; listen [::]:8081 reuseport; root $FILES; } }
E
exec nginx -c $PWD/nginx.conf`

const sshServer = `mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N "" -f host; ssh-keygen -q -t ed25519 -N "" -f user; cp user.pub keys
exec $(command -v sshd) -D -f /dev/null -h $PWD/host -p 2222 -o AuthorizedKeysFile=$PWD/keys -o StrictModes=no -o UsePAM=no -o PidFile=none -o Subsystem="sftp internal-sftp"`

const sshOptions = `-F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes -i $PWD/user`

const nodeServer = `exec node -e 'require("http").createServer((q, r) => r.end("hello from node")).listen(8083)'`

const postgresServer = `B=$(dirname $(ls /usr/lib/postgresql/*/bin/initdb)); D=$PWD/db; mkdir $D; chown postgres $D
exec setpriv --reuid postgres --clear-groups sh -c "cd $D; $B/initdb -A trust -D $D/d >/dev/null 2>&1; echo 'host all all 10.9.0.0/24 trust' >>$D/d/pg_hba.conf
exec $B/postgres -D $D/d -k $D -p 5440 -c listen_addresses='*'"`

const asyncServer = `exec python3 -c '
import asyncio
async def echo(r, w):
    w.write(await r.read(100)); await w.drain(); w.close()
async def main():
    await (await asyncio.start_server(echo, None, 8086)).serve_forever()
asyncio.run(main())'`

const asyncClient = `open 8086; python3 -c '
import asyncio, os
async def one(i):
    r, w = await asyncio.open_connection(os.environ["R"], 8086)
    w.write(b"%d" % i); w.write_eof()
    x = int(await r.read()); w.close()
    return x
async def main():
    print("sum", sum(await asyncio.gather(*[one(i) for i in range(200)])))
asyncio.run(main())'`

const dnsServer = `exec dnsmasq -k -p 53 --no-resolv --no-hosts --address=/a.test/192.0.2.1 --user=root --pid-file=`

const redisServer = `exec redis-server --port 6399 --save "" --protected-mode no`

// rows is the table.
var rows = []row{
	{"ping", "", `ping -c 3 -i 0.2 $R`, `3 received, 0% packet loss`, false, "ping"},
	{"ping-large", "", `ping -c 2 -i 0.2 -s 4000 $R`, `4008 bytes from[\s\S]*2 received`, false, "ping"},
	{"ping6", "", `ping -6 -c 3 -i 0.2 $R6`, `3 received, 0% packet loss`, false, "ping"},
	{"ping-flood", "", `ping -f -c 1000 $R`, `1000 received, 0% packet loss`, false, "ping"},
	{"traceroute", "", `traceroute -n $R`, `(?m)^ 1  10\.9\.0\.2 .* ms`, false, "traceroute"},
	{"traceroute-icmp", "", `traceroute -I -n $R`, `(?m)^ 1  10\.9\.0\.2 .* ms`, false, "traceroute"},
	{"tracepath", "", `tracepath -n $R`, `10\.9\.0\.2 .*reached`, false, "tracepath"},
	{"iperf", `exec iperf -s`, `sleep 0.7; iperf -c $R -t 1`, `sec +[\d.]+ [MG]Bytes`, false, "iperf"},
	{"iperf-udp", `exec iperf -s -u`, `sleep 0.5; iperf -u -c $R -t 1 -b 10M`, `Server Report:[\s\S]* 0/`, false, "iperf"},
	{"iperf3", `exec iperf3 -s`, `sleep 0.7; iperf3 -c $R -t 1`, `receiver`, false, "iperf3"},
	{"iperf3-udp", `exec iperf3 -s`, `sleep 0.7; iperf3 -u -b 20M -c $R -t 1`, `\d Mbits/sec .*\(\d.*receiver`, false, "iperf3"},
	{"iperf3-reverse", `exec iperf3 -s`, `sleep 0.7; iperf3 -R -c $R -t 1`, `receiver`, false, "iperf3"},
	{"iperf3-parallel", `exec iperf3 -s`, `sleep 0.7; iperf3 -P 4 -c $R -t 1`, `\[SUM\].*receiver`, false, "iperf3"},
	{"iperf3-ipv6", `exec iperf3 -s`, `sleep 0.7; iperf3 -6 -c $R6 -t 1`, `receiver`, false, "iperf3"},
	{"wget", pythonServer, `open 8000; wget -q -O got http://$R:8000/big; cmp got $FILES/big && echo same`, `same`, false, "wget python3"},
	{"wget-recursive", pythonServer, `open 8000; wget -q -r -np http://$R:8000/; cmp $R:8000/big $FILES/big && cat $R:8000/hello`, `hello from the right`, false, "wget python3"},
	{"curl", pythonServer, `open 8000; curl -s -S -o got http://$R:8000/big; cmp got $FILES/big && echo same`, `same`, false, "curl python3"},
	{"curl-ipv6", nginxServer, `open 8081; curl -s -S -g http://[$R6]:8081/hello`, `hello from the right`, false, "curl nginx"},
	{"curl-1000", nginxServer, `open 8081; curl -s -S "http://$R:8081/hello?[1-1000]" | sort | uniq -c`, `1000 hello from the right`, false, "curl nginx"},
	{"curl-https", `cp $FILES/hello .; openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=right 2>/dev/null; exec openssl s_server -quiet -accept 4433 -cert c -key k -WWW`,
		`open 4433; curl -s -S -k https://$R:4433/hello`, `hello from the right`, false, "curl openssl"},
	{"curl-refused", "", `curl -s -S http://$R:9/`, `(?i)refused|could ?n.t connect`, true, "curl"},
	{"nc", `exec nc -l 8091 >got`, `sleep 0.5; nc -N $R 8091 <$FILES/big; sleep 0.3; cmp got $FILES/big && echo same`, `same`, false, "nc"},
	{"nc-back", `exec nc -N -l 8091 <$FILES/big`, `sleep 0.5; nc -d $R 8091 >got; cmp got $FILES/big && echo same`, `same`, false, "nc"},
	{"nc-udp", `nc -u -l 8092 >got`, `sleep 0.5; echo hello | nc -u -w 1 $R 8092; cat got`, `hello`, false, "nc"},
	{"socat", `exec socat TCP-LISTEN:8093,fork,reuseaddr EXEC:'tr a-z A-Z'`, `open 8093; echo hello | socat -t 2 - TCP:$R:8093`, `HELLO`, false, "socat"},
	{"socat-udp6", `exec socat UDP6-RECVFROM:8094,fork EXEC:'tr a-z A-Z'`, `sleep 0.5; echo hello | socat -t 2 - UDP6:[$R6]:8094`, `HELLO`, false, "socat"},
	{"dig", dnsServer, `sleep 0.7; dig +short @$R a.test`, `^192\.0\.2\.1`, false, "dig dnsmasq"},
	{"dig-tcp", dnsServer, `open 53; dig +tcp +short @$R a.test`, `^192\.0\.2\.1`, false, "dig dnsmasq"},
	{"host", dnsServer, `sleep 0.7; host a.test $R`, `a\.test has address 192\.0\.2\.1`, false, "host dnsmasq"},
	{"nginx-wrk", nginxServer, `open 8081; wrk -c 200 -t 2 -d 1 http://$R:8081/hello`, `[1-9]\d* requests in[\s\S]*Requests/sec: +[1-9]`, false, "nginx wrk"},
	{"lighttpd", `printf 'server.document-root="%s"\nserver.port=8085\n' $FILES >l.conf; exec lighttpd -D -f l.conf`, `open 8085; curl -s -S http://$R:8085/hello`, `hello from the right`, false, "lighttpd curl"},
	{"redis-benchmark", redisServer, `open 6399; redis-benchmark -h $R -p 6399 -n 2000 -q -t set,get`, `GET: [\d.]+ requests per second`, false, "redis-server redis-benchmark"},
	{"redis-cli", redisServer, `open 6399; redis-cli -h $R -p 6399 set a hello; redis-cli -h $R -p 6399 get a`, `hello`, false, "redis-server redis-cli"},
	{"memcached", `exec memcached -u nobody -p 11212 -l 0.0.0.0`, `open 11212; printf 'set a 0 0 5\r\nhello\r\nget a\r\nquit\r\n' | nc -N $R 11212`, `STORED\s+VALUE a 0 5\s+hello`, false, "memcached nc"},
	{"pgbench", postgresServer, `until pg_isready -q -h $R -p 5440; do sleep 0.2; done; export PGUSER=postgres PGHOST=$R PGPORT=5440; createdb b; pgbench -i -q b; pgbench -c 4 -T 1 b`, `tps = \d+`, false, "pgbench setpriv"},
	{"python-asyncio", asyncServer, asyncClient, `sum 19900`, false, "python3"},
	{"go-http", `exec "$SELF" go-server $FILES`, `open 8088; "$SELF" go-client http://$R:8088/hello`, `bytes 2100`, false, ""},
	{"node", nodeServer, `open 8083; node -e 'require("http").get("http://"+process.env.R+":8083", r => r.pipe(process.stdout))'`, `hello from node`, false, "node"},
	{"ssh", sshServer, `open 2222; ssh ` + sshOptions + ` -p 2222 root@$R 'echo $SSH_CONNECTION'`, `10\.9\.0\.1 \d+ 10\.9\.0\.2 2222`, false, "ssh sshd"},
	{"scp", sshServer, `open 2222; scp -q ` + sshOptions + ` -P 2222 root@$R:$FILES/big got; cmp got $FILES/big && echo same`, `same`, false, "scp sshd"},
	{"rsync", `printf 'use chroot=no\nuid=0\ngid=0\n[m]\npath=%s\nread only=yes\n' $FILES >rsync.conf; exec rsync --daemon --no-detach --port 8730 --config=rsync.conf`,
		`open 8730; rsync -a rsync://$R:8730/m/big got; cmp got $FILES/big && echo same`, `same`, false, "rsync"},
	{"git-clone", `git init -q repository; cd repository; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first; git update-server-info; cd .git; exec python3 -m http.server 8087`,
		`open 8087; git clone -q http://$R:8087/ copy; git -C copy log --format=%s`, `^first`, false, "git python3"},
	{"nmap", `exec nc -lk 8099`, `open 8099; nmap -sT -Pn -n -p 8098-8099 $R`, `8098/tcp +closed[\s\S]*8099/tcp +open`, false, "nmap nc"},
	{"tcpdump", `exec nc -lk 8099`, `timeout 5 tcpdump -c 3 -n -i eth0 tcp port 8099 & sleep 1; nc -z $R 8099; wait`, `10\.9\.0\.1\.\d+ > 10\.9\.0\.2\.8099: Flags \[S\]`, false, "tcpdump nc"},
	{"nmap-syn", `exec nc -lk 8099`, `open 8099; nmap -sS -Pn -n -p 8098-8099 $R`, `8098/tcp +closed[\s\S]*8099/tcp +open`, false, "nmap nc"},
	{"tcpdump-any", `exec nc -lk 8099`, `timeout 5 tcpdump -c 2 -n -i any -Q out tcp port 8099 & sleep 1; nc -z $R 8099; wait`, `eth0 +Out IP 10\.9\.0\.1\.\d+ > 10\.9\.0\.2\.8099: Flags \[S\]`, false, "tcpdump nc"},
	{"tcpdump-write", "", `timeout 5 tcpdump -c 2 -n -i eth0 -Q in -w in.pcap icmp & sleep 1; ping -c 3 -i 0.2 $R >/dev/null; wait; tcpdump -n -r in.pcap`, `10\.9\.0\.2 > 10\.9\.0\.1: ICMP echo reply, id \d+, seq 2`, false, "tcpdump ping"},
	{"tcpdump-lo", "", `timeout 5 tcpdump -c 2 -n -i lo icmp & sleep 1; ping -c 2 -i 0.2 127.0.0.1 >/dev/null; wait`, `127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo reply[\s\S]*\b0 packets dropped`, true, "tcpdump ping"},
	{"tcpdump-list", "", `tcpdump -D`, `\d\.eth0 \[Up, Running[\s\S]*\d\.lo \[Up, Running, Loopback\]`, true, "tcpdump"},
	{"dumpcap", "", `timeout 8 dumpcap -q -c 2 -i eth0 -f icmp -w $PWD/two.pcap & sleep 2; ping -c 3 -i 0.2 $R >/dev/null; wait; tcpdump -n -r two.pcap`, `10\.9\.0\.2 > 10\.9\.0\.1: ICMP echo reply`, false, "dumpcap tcpdump ping"},
	{"arping", "", `arping -c 2 -I eth0 $R`, `2 packets received, +0% unanswered`, false, "arping"},
	{"hping3", "", `hping3 -c 2 -i u200000 -S -p 9 $R`, `flags=RA[\s\S]*2 packets received|2 packets received[\s\S]*flags=RA`, false, "hping3"},
	{"haproxy", haproxyServer, `open 8100; curl -s -S "http://$R:8100/[1-100]" | grep -o hello | sort | uniq -c`, `100 hello`, false, "haproxy curl"},
	{"mosquitto", mosquittoServer, `open 1884; mosquitto_sub -h $R -p 1884 -t a -C 1 & sleep 0.5; mosquitto_pub -h $R -p 1884 -t a -m hello; wait $!`, `hello`, false, "mosquitto mosquitto_sub mosquitto_pub"},
	{"nuttcp", `exec nuttcp -S --nofork`, `sleep 0.7; nuttcp -T1 $R`, `[1-9]\d*\.\d+ MB / .*msRTT`, false, "nuttcp"},
	{"ftp", ftpServer, `open 2121; lftp -c "open ftp://$R:2121; get big"; cmp big $FILES/big && echo same`, `same`, false, "vsftpd lftp"},
	{"ntp", ntpServer, `sleep 1; timeout 12 chronyd -Q -x -f /dev/null "server $R port 1123 iburst maxsamples 2" "cmdport 0"`, `System clock wrong by`, false, "chronyd"},
	{"dhcp", dhcpServer, `sleep 1; timeout 4 dhclient -d -1 -v -sf /bin/true -lf $PWD/leases -pf $PWD/pid eth0`, `bound to 10\.9\.0\.5\d`, false, "dhcpd dhclient"},
	{"router-advertisement", routerServer, `sleep 1; rdisc6 -1 eth0; sleep 1; ip -6 addr show dev eth0`, `Prefix +: fd55::/64[\s\S]*inet6 fd55::\S+ scope global dynamic`, false, "radvd rdisc6 ip"},
	{"ip-link", "", `ip link`, `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500`, true, "ip"},
	{"ip-addr", "", `ip addr`, `inet 10\.9\.0\.1/24 .*scope global`, true, "ip"},
	{"ip-json", "", `ip -j -d -s addr | python3 -m json.tool`, `"local": "10\.9\.0\.1"`, true, "ip python3"},
	{"ip-route", "", `ip route; ip -6 route; ip route get $R`, `10\.9\.0\.0/24 dev eth0[\s\S]*10\.9\.0\.2 dev eth0`, true, "ip"},
	{"ip-neigh", "", `ping -c 1 $R >/dev/null; ip neigh`, `10\.9\.0\.2 dev eth0 lladdr \S+ REACHABLE`, false, "ip ping"},
	{"ip-change", "", `ip addr add 10.8.0.1/24 dev lo; ip route add 10.7.0.0/24 via $R; printf 'addr show dev lo\nroute show\n' | ip -batch -
ip route del 10.7.0.0/24; ip addr del 10.8.0.1/24 dev lo`, `inet 10\.8\.0\.1/24[\s\S]*10\.7\.0\.0/24 via 10\.9\.0\.2`, true, "ip"},
	{"ip-monitor", "", `timeout 1 ip monitor addr & sleep 0.4; ip addr add 10.8.0.2/24 dev lo; ip addr del 10.8.0.2/24 dev lo; wait`, `inet 10\.8\.0\.2/24[\s\S]*Deleted`, true, "ip"},
	{"ip-link-kinds", "", `ip link add d0 mtu 1400 type dummy; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip -d link; ip link del v1; ip link del d0
ip -br link | grep -c '[dv][01]'`, `d0: <BROADCAST,NOARP> mtu 1400 qdisc noop[\s\S]*\bdummy\b[\s\S]*v0@v1: <BROADCAST,MULTICAST,UP,LOWER_UP>[\s\S]*\bveth\b[\s\S]*\n0\n`, true, "ip"},
	{"ip-link-names", "", `ip link add v0 type veth peer name v1; ip link property add dev v0 altname uplink-of-the-house; ip addr add 10.8.9.1/24 dev uplink-of-the-house
ip addr show dev uplink-of-the-house; ip link del uplink-of-the-house`, `v0@v1:[\s\S]*altname uplink-of-the-house[\s\S]*inet 10\.8\.9\.1/24`, true, "ip"},
	{"ip-multipath", "", `ip link add d0 up type dummy; ip addr add 10.8.9.1/24 dev d0; ip route add 10.7.0.0/16 nexthop via $R weight 3 nexthop via 10.8.9.2
ip route; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ip route get 10.7.1.$i; done | sort -k 5,5 -u; ip link del d0`, `10\.7\.0\.0/16 *\n\s+nexthop via 10\.9\.0\.2 dev eth0 weight 3 *\n\s+nexthop via 10\.8\.9\.2 dev d0 weight 1[\s\S]*via 10\.8\.9\.2 dev d0 [\s\S]*via 10\.9\.0\.2 dev eth0 `, true, "ip"},
	{"ip-ntable", "", `ip ntable change name arp_cache dev eth0 queue 20; ip ntable show dev eth0; ip ntable change name arp_cache dev eth0 queue 101`, `inet arp_cache[\s\S]*dev eth0[\s\S]*queue 20 `, true, "ip"},
	{"tc", "", `tc qdisc add dev eth0 root tbf rate 1mbit burst 5k latency 50ms; tc -s qdisc show dev eth0; tc qdisc del dev eth0 root`, `qdisc tbf .*rate 1Mbit[\s\S]*Sent \d+ bytes`, true, "tc"},
	{"ss", "", `nc -l 8095 & sleep 0.3; ss -tlnpieo; kill $!`, `LISTEN .*:8095`, true, "ss nc"},
	{"ss-udp", "", `nc -u -l 8096 & sleep 0.3; ss -uan; kill $!`, `UNCONN .*:8096`, true, "ss nc"},
	{"sysctl", "", `sysctl -a 2>/dev/null; sysctl -w net.ipv4.ip_default_ttl=77; sysctl net.ipv4.ip_default_ttl; sysctl -w net.ipv4.ip_default_ttl=64`, `net\.ipv4\.tcp_congestion_control = cubic[\s\S]*net\.ipv4\.ip_default_ttl = 77`, true, "sysctl"},
	{"ifconfig", "", `ifconfig -a`, `eth0: flags=\d+<UP,BROADCAST,RUNNING,MULTICAST>[\s\S]*inet 10\.9\.0\.1`, true, "ifconfig"},
	{"route", "", `route -n`, `10\.9\.0\.0 +0\.0\.0\.0 +255\.255\.255\.0 +U .*eth0`, true, "route"},
	{"netstat", "", `nc -l 8097 & sleep 0.3; netstat -tln; netstat -s | head -20; kill $!`, `0\.0\.0\.0:8097[\s\S]*total packets received`, true, "netstat nc"},
	{"arp", "", `ping -c 1 $R >/dev/null; arp -n`, `10\.9\.0\.2 +ether`, false, "arp ping"},
}
