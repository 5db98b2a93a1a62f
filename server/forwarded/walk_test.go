package forwarded_test

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/forwarded"
)

// head is a forwarded.Head.
type head [][2]string

func (h head) Fields() int { return len(h) }

func (h head) Field(i int) (name, value []byte) { return []byte(h[i][0]), []byte(h[i][1]) }

// walk is a case of testdata/walk.cases.
type walk struct {
	name         string
	trust, names []string
	peer         string
	head         head
	want         string
}

func readWalks(t testing.TB) (walks []walk) {
	content, err := os.ReadFile("testdata/walk.cases")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(content), "\n\n") {
		w := walk{trust: forwarded.Loopback, peer: "127.0.0.1"}
		for line := range strings.Lines(block) {
			key, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch key {
			case "#":
			case "case":
				w.name = rest
			case "trust":
				w.trust = strings.Fields(rest)
			case "names":
				w.names = strings.Fields(rest)
			case "peer":
				w.peer = rest
			case ">":
				name, value, _ := strings.Cut(rest, ": ")
				w.head = append(w.head, [2]string{name, value})
			case "=":
				w.want = rest
			default:
				t.Fatalf("%q in\n%s", line, block)
			}
		}
		if w.name != "" {
			walks = append(walks, w)
		}
	}
	return walks
}

// read is what comes of the case, as the file has it.
func (w walk) read(t testing.TB) string {
	trusted, err := forwarded.ParseNetworks(w.trust)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := forwarded.NewPolicy(trusted, w.names)
	if err != nil {
		t.Fatal(err)
	}
	var peer netip.Addr
	if w.peer != "unix" && w.peer != "anonymous" {
		peer = netip.MustParseAddr(w.peer).Unmap()
	}
	o := policy.Read(w.head, peer, w.peer == "anonymous")
	var said []string
	say := func(key, value string) {
		if value != "" {
			said = append(said, key+"="+value)
		}
	}
	switch {
	case !o.Client.IsValid():
	case o.Client.Port() == 0:
		say("client", o.Client.Addr().String())
	default:
		say("client", o.Client.String())
	}
	say("scheme", o.Scheme)
	say("host", string(o.Host))
	if o.Port != 0 {
		say("port", strconv.Itoa(o.Port))
	}
	var removed []string
	for _, f := range w.head {
		if policy.Removes(&o, []byte(f[0])) {
			removed = append(removed, f[0])
		}
	}
	say("removed", strings.Join(removed, ","))
	return strings.Join(said, " ")
}

func TestWalk(t *testing.T) {
	walks := readWalks(t)
	if len(walks) < 50 {
		t.Errorf("%d cases", len(walks))
	}
	for _, w := range walks {
		t.Run(w.name, func(t *testing.T) {
			if got := w.read(t); got != w.want {
				t.Errorf("got  %s\nwant %s", got, w.want)
			}
		})
	}
}

func TestNobodyIsTrustedWithoutPolicy(t *testing.T) {
	var p *forwarded.Policy
	o := p.Read(head{{"X-Forwarded-For", "192.0.2.1"}}, netip.MustParseAddr("127.0.0.1"), false)
	if o.Client.IsValid() || !p.Removes(&o, []byte("X-Forwarded-For")) || p.Removes(&o, []byte("Host")) {
		t.Errorf("%+v", o)
	}
}

func TestNetworks(t *testing.T) {
	for _, c := range []struct {
		list     string
		in, out  []string
		unix, ok bool
	}{
		{list: "127.0.0.0/8 ::1", in: []string{"127.0.0.1", "127.9.9.9", "::1"}, out: []string{"128.0.0.1", "::2"}, unix: true, ok: true},
		{list: "10.1.2.3/8", in: []string{"10.255.0.1"}, out: []string{"11.0.0.1"}, unix: true, ok: true},
		{list: "::ffff:10.0.0.1", in: []string{"10.0.0.1"}, out: []string{"10.0.0.2"}, unix: true, ok: true},
		{list: "*", in: []string{"192.0.2.1", "2001:db8::1"}, unix: true, ok: true},
		{list: "none", out: []string{"127.0.0.1"}, ok: true},
		{list: "none 127.0.0.1"},
		{list: "localhost"},
		{list: "10.0.0.0/33"},
		{list: "fe80::1%eth0"},
		{list: "::ffff:10.0.0.0/104"},
		{list: "10.0.0.0/8,10.0.0.1"},
	} {
		n, err := forwarded.ParseNetworks(strings.Fields(c.list))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.list, err)
			continue
		}
		for _, a := range slices.Concat(c.in, c.out) {
			if got := n.Peer(netip.MustParseAddr(a)); got != slices.Contains(c.in, a) {
				t.Errorf("%s: %s: %v", c.list, a, got)
			}
		}
		if n.Peer(netip.Addr{}) != c.unix {
			t.Errorf("%s: a Unix socket: %v", c.list, !c.unix)
		}
	}
	if _, err := forwarded.NewPolicy(forwarded.Networks{}, []string{"X-Real-IP"}); err == nil {
		t.Error("X-Real-IP is taken")
	}
}

// FuzzWalk: what a client sends in front of what a proxy appends changes nothing, whatever it is.
func FuzzWalk(f *testing.F) {
	for _, w := range readWalks(f) {
		for _, field := range w.head {
			f.Add(field[1])
		}
	}
	trusted, err := forwarded.ParseNetworks([]string{"127.0.0.1", "10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	policy, err := forwarded.NewPolicy(trusted, nil)
	if err != nil {
		f.Fatal(err)
	}
	peer := netip.MustParseAddr("127.0.0.1")
	client := netip.MustParseAddr("192.0.2.1")
	f.Fuzz(func(t *testing.T, sent string) {
		for _, family := range []head{
			{{"X-Forwarded-For", sent + ", 192.0.2.1, 10.0.0.1"}, {"X-Forwarded-Proto", sent + ", https, http"}},
			{{"Forwarded", sent + `, for="192.0.2.1:443";proto=https, for=10.0.0.1`}},
		} {
			for _, lines := range []head{family, append(head{{family[0][0], sent}}, family...)} {
				o := policy.Read(lines, peer, false)
				if o.Client.Addr() != client || o.Scheme != "https" {
					t.Fatalf("%q: %+v", lines, o)
				}
			}
		}
		// Alone it is the nearest proxy's, and may say anything but what cannot be said.
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"} {
			o := policy.Read(head{{name, sent}}, peer, false)
			if o.Port < 0 || o.Port > 65535 || strings.ContainsAny(string(o.Host), " \t\r\n,/@\"") || o.Client.Addr().Zone() != "" {
				t.Fatalf("%s: %q: %+v", name, sent, o)
			}
		}
	})
}
