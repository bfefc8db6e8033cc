// A chain of routers in ns-3, joined by point-to-point links, with datagrams of a
// constant rate from the first node to the last: the network of sim-chain-ns3.
//
//   chain ROUTERS SECONDS BYTES GAP_NS RATE_BPS DELAY_NS
//
// prints the packets received, the processor time in nanoseconds that the run took
// after a second of warming up, and the events of that time.
#include <ctime>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"

using namespace ns3;

static uint64_t received = 0;

static void Drain(Ptr<Socket> s) {
    while (Ptr<Packet> p = s->Recv()) received += p->GetSize() > 0;
}

static void Send(Ptr<Socket> s, uint32_t size, Time gap) {
    s->Send(Create<Packet>(size));
    Simulator::Schedule(gap, &Send, s, size, gap);
}

static int64_t ProcessorTime() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: chain ROUTERS SECONDS BYTES GAP_NS RATE_BPS DELAY_NS\n");
        return 2;
    }
    const int routers = atoi(argv[1]);
    const double seconds = atof(argv[2]);
    const uint32_t size = atoi(argv[3]);
    const Time gap = NanoSeconds(atoll(argv[4]));
    Config::SetDefault("ns3::Ipv4L3Protocol::DefaultTtl", UintegerValue(255));

    NodeContainer nodes;
    nodes.Create(routers + 2);
    InternetStackHelper stack;
    stack.SetIpv6StackInstall(false);
    Ipv4StaticRoutingHelper routing;
    stack.SetRoutingHelper(routing);
    stack.Install(nodes);

    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", DataRateValue(DataRate(atoll(argv[5]))));
    link.SetChannelAttribute("Delay", TimeValue(NanoSeconds(atoll(argv[6]))));
    Ipv4AddressHelper addresses;
    Ipv4Address last;
    for (int i = 0; i <= routers; i++) {
        char net[32];
        snprintf(net, sizeof net, "10.%d.%d.0", 1 + i / 250, i % 250);
        addresses.SetBase(net, "255.255.255.0");
        Ipv4InterfaceContainer ends = addresses.Assign(link.Install(nodes.Get(i), nodes.Get(i + 1)));
        last = ends.GetAddress(1);
        // The next node is the way to all beyond; interface 0 is the loopback.
        const uint32_t out = i == 0 ? 1 : 2;
        routing.GetStaticRouting(nodes.Get(i)->GetObject<Ipv4>())->SetDefaultRoute(ends.GetAddress(1), out);
    }
    const TypeId udp = TypeId::LookupByName("ns3::UdpSocketFactory");
    Ptr<Socket> sink = Socket::CreateSocket(nodes.Get(routers + 1), udp);
    sink->Bind(InetSocketAddress(Ipv4Address::GetAny(), 9));
    sink->SetRecvCallback(MakeCallback(&Drain));
    Ptr<Socket> source = Socket::CreateSocket(nodes.Get(0), udp);
    source->Connect(InetSocketAddress(last, 9));
    Simulator::ScheduleWithContext(0, MilliSeconds(1), &Send, source, size, gap);

    Simulator::Stop(Seconds(1));
    Simulator::Run();
    const uint64_t before = received, events = Simulator::GetEventCount();
    const int64_t begun = ProcessorTime();
    Simulator::Stop(Seconds(seconds));
    Simulator::Run();
    printf("%llu %lld %llu\n", (unsigned long long)(received - before), (long long)(ProcessorTime() - begun),
           (unsigned long long)(Simulator::GetEventCount() - events));
    Simulator::Destroy();
    return 0;
}
