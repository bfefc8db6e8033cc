package sandbox

import (
	"slices"
	"strings"
	"testing"
)

func TestPrivilegesAreNamedAndReadBack(t *testing.T) {
	p := Privileges{Network: true, Files: true, Capabilities: []string{"CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_NET_RAW"}}
	names := p.Names()
	if want := []string{"network", "files", "CAP_NET_ADMIN", "CAP_NET_RAW"}; !slices.Equal(names, want) {
		t.Fatalf("%q, want %q", names, want)
	}
	q, err := Parse(names)
	if err != nil || !slices.Equal(q.Names(), names) {
		t.Errorf("%+v, %v", q, err)
	}
	for _, wrong := range []string{"everything", "CAP_", "cap_net_raw", "NET_RAW", ""} {
		if _, err := Parse([]string{wrong}); err == nil || !strings.Contains(err.Error(), "network, files and the capabilities") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestCapabilitiesHaveTheKernelsNumbers(t *testing.T) {
	for name, want := range map[string]int{"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13,
		"CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_AUDIT_WRITE": 29, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40} {
		if got := capability(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	if l := (Limits{}).Default(); l.Memory != defaultMemory || l.Descriptors != DefaultDescriptors {
		t.Errorf("%+v", l)
	}
	if l := (Limits{Memory: 5, Descriptors: Unlimited}).Default(); l.Memory != 5 || l.Descriptors != Unlimited {
		t.Errorf("%+v", l)
	}
}
