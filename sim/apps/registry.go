package apps

// Kind is an app by the name that files have for it.
type Kind struct {
	Name string
	Help string
	// New is a pointer to an app with default values.
	New func() App
}

// Kinds are all apps, by name.
func Kinds() []Kind {
	return []Kind{
		{"bulk", "TCP as fast as it goes, to a sink", func() App { return new(Bulk) }},
		{"cbr", "UDP at a constant rate, with pauses if wanted, to a sink", func() App { return new(CBR) }},
		{"http", "fetches of files over HTTP", func() App { return new(HTTP) }},
		{"httpd", "a server of files of zeros: /N has N bytes", func() App { return new(HTTPServer) }},
		{"lookup", "questions to a name server over UDP", func() App { return new(Lookup) }},
		{"named", "a name server: answers over UDP", func() App { return new(NameServer) }},
		{"ping", "ICMP echo requests", func() App { return new(Ping) }},
		{"requests", "requests and responses over TCP", func() App { return new(Requests) }},
		{"responder", "the other side of requests", func() App { return new(Responder) }},
		{"sink", "takes and forgets, over TCP and UDP", func() App { return new(Sink) }},
	}
}
