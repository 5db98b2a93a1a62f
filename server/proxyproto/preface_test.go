package proxyproto_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/proxyproto"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a preface of version 2.
func v2(command, family byte, rest string) string {
	return signature + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	tcp4 = "\xc0\x00\x02\x01\xcb\x00\x71\x05\xc3\x50\x01\xbb" // 192.0.2.1:50000 to 203.0.113.5:443
	tcp6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc3\x50\x01\xbb"
)

var unixNames = strings.Repeat("/tmp/socket\x00", 18)

// prefaces are what a connection may begin with, and what that says: "" for "closed".
var prefaces = []struct{ name, in, want string }{
	{"v1", "PROXY TCP4 192.0.2.1 203.0.113.5 50000 443\r\n", "192.0.2.1:50000 at 203.0.113.5:443"},
	{"v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 50000 443\r\n", "[2001:db8::1]:50000 at [2001:db8::2]:443"},
	{"v1, IPv4 in a line for IPv6", "PROXY TCP6 192.0.2.1 2001:db8::2 50000 443\r\n", "192.0.2.1:50000 at [2001:db8::2]:443"},
	{"v1, unknown", "PROXY UNKNOWN\r\n", "anonymous"},
	{"v1, unknown with addresses", "PROXY UNKNOWN ffff:f::1 ffff:f::1 65535 65535\r\n", "anonymous"},
	{"v1, LF alone", "PROXY TCP4 192.0.2.1 203.0.113.5 50000 443\n", ""},
	{"v1, another protocol", "PROXY UDP4 192.0.2.1 203.0.113.5 50000 443\r\n", ""},
	{"v1, a port missing", "PROXY TCP4 192.0.2.1 203.0.113.5 50000\r\n", ""},
	{"v1, no such port", "PROXY TCP4 192.0.2.1 203.0.113.5 70000 443\r\n", ""},
	{"v1, no such address", "PROXY TCP4 192.0.2.256 203.0.113.5 50000 443\r\n", ""},
	{"v1, two spaces", "PROXY  TCP4 192.0.2.1 203.0.113.5 50000 443\r\n", ""},
	{"v1, too long", "PROXY UNKNOWN " + strings.Repeat("x", 100) + "\r\n", ""},
	{"v1, without end", "PROXY " + strings.Repeat("x", 200), ""},
	{"v2", v2(0x21, 0x11, tcp4), "192.0.2.1:50000 at 203.0.113.5:443"},
	{"v2, IPv6", v2(0x21, 0x21, tcp6), "[2001:db8::1]:50000 at [2001:db8::2]:443"},
	{"v2, IPv4 in IPv6", v2(0x21, 0x21, strings.Repeat("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x01", 2)+"\x00\x07\x00\x08"),
		"10.0.0.1:7 at 10.0.0.1:8"},
	{"v2, local", v2(0x20, 0x00, ""), "itself"},
	{"v2, local with addresses", v2(0x20, 0x11, tcp4), "itself"},
	{"v2, a Unix socket", v2(0x21, 0x31, unixNames), "anonymous"},
	{"v2, TLVs", v2(0x21, 0x11, tcp4+"\x04\x00\x03abc\x02\x00\x01a\xe0\x00\x00"), "192.0.2.1:50000 at 203.0.113.5:443"},
	{"v2, TLS", v2(0x21, 0x11, tcp4+"\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"), "192.0.2.1:50000 at 203.0.113.5:443 with TLS"},
	{"v2, SSL without TLS", v2(0x21, 0x11, tcp4+"\x20\x00\x05\x00\x00\x00\x00\x00"), "192.0.2.1:50000 at 203.0.113.5:443"},
	{"v2, a TLV that is cut off", v2(0x21, 0x11, tcp4+"\x20\x00\x05\x01"), ""},
	{"v2, datagrams", v2(0x21, 0x12, tcp4), ""},
	{"v2, addresses that are cut off", v2(0x21, 0x11, tcp4[:11]), ""},
	{"v2, another command", v2(0x22, 0x11, tcp4), ""},
	{"v2, another version", v2(0x31, 0x11, tcp4), ""},
	{"v2, another family", v2(0x21, 0x41, tcp4), ""},
	{"v2, too long", v2(0x21, 0x11, tcp4+strings.Repeat("\x04\x00\x00", 2000)), ""},
	{"HTTP", "GET / HTTP/1.1\r\n", ""},
	{"a method that begins alike", "PROXIES / HTTP/1.1\r\n", ""},
	{"TLS", "\x16\x03\x01\x02\x00\x01", ""},
	{"empty lines", "\r\n\r\n\r\n", ""},
}

// read reads the preface that in begins with: what it says, and its length. "more" where it goes on.
func read(in []byte) (said string, n int) {
	n, err := proxyproto.Length(in)
	switch {
	case err != nil:
		return "", 0
	case n == 0:
		return "more", 0
	}
	p, err := proxyproto.Parse(in[:n])
	switch {
	case err != nil:
		return "", n
	case p == nil:
		return "itself", n
	case p.Anonymous:
		return "anonymous", n
	}
	said = fmt.Sprintf("%s at %s", p.Remote, p.Local)
	if p.TLS {
		said += " with TLS"
	}
	return said, n
}

func TestPrefaces(t *testing.T) {
	for _, c := range prefaces {
		said, n := read([]byte(c.in + "GET"))
		if said != c.want || said != "" && n != len(c.in) {
			t.Errorf("%s: got %q after %d octets, want %q after %d", c.name, said, n, c.want, len(c.in))
		}
		if c.want == "" {
			continue
		}
		for cut := range len(c.in) {
			if said, _ := read([]byte(c.in[:cut])); said != "more" {
				t.Errorf("%s: got %q of the first %d octets", c.name, said, cut)
			}
		}
	}
}

// FuzzPreface: whatever comes, it is told from its first octets what it is, and what is behind it does not matter.
func FuzzPreface(f *testing.F) {
	for _, c := range prefaces {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		said, n := read(in)
		switch said {
		case "more":
			if len(in) > 16+4096 {
				t.Fatalf("more than %d octets are waited for", len(in))
			}
		case "":
		default:
			if again, m := read(append(in[:n:n], 'x')); again != said || m != n {
				t.Fatalf("%q, and %q with another octet behind", said, again)
			}
			if len(in) > 0 {
				if early, _ := read(in[:n-1]); early != "more" {
					t.Fatalf("%q without its last octet", early)
				}
			}
			if remote, _, _ := strings.Cut(said, " at "); said != "itself" && said != "anonymous" {
				if _, err := netip.ParseAddrPort(remote); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
