package compress

import (
	"strings"
	"testing"
)

var negotiations = []struct {
	accept string
	coding string // "" for none
	must   bool
}{
	{"gzip", "gzip", false},
	{"x-gzip", "gzip", false},
	{"GZip", "gzip", false},
	{"gzip, deflate, br, zstd", "zstd", false},
	{"gzip, deflate, br", "br", false},
	{"gzip;q=1.0, br;q=0.9, zstd;q=0.8", "gzip", false},
	{"gzip;q=0.001", "gzip", false},
	{"gzip ; q=0.5 ,\tbr;Q=0.6", "br", false},
	{"gzip;q=0", "", false},
	{"gzip;q=0.000, br", "br", false},
	{"", "", false},
	{" , ,", "", false},
	{"identity", "", false},
	{"identity;q=1, gzip;q=0.5", "", false},
	{"identity;q=0.5, gzip", "gzip", false},
	{"identity, gzip", "gzip", false},
	{"identity;q=0", "", true},
	{"identity;q=0, gzip;q=0.1", "gzip", true},
	{"*", "zstd", false},
	{"*;q=0", "", true},
	{"*;q=0, gzip", "gzip", true},
	{"*;q=0, identity", "", false},
	{"*, zstd;q=0", "br", false},
	{"*;q=0.5, gzip;q=0.4", "zstd", false},
	{"deflate, compress", "", false},
	{"gzip;q=1.001", "", false},
	{"gzip;q=2", "", false},
	{"gzip;q=-1", "", false},
	{"gzip;q=0.1234", "", false},
	{"gzip;q=", "", false},
	{"gzip;level=9", "", false},
	{"gzip;q=1.0;x=y", "", false},
	{"gzip;q=0, gzip;q=1", "gzip", false},
}

func TestNegotiate(t *testing.T) {
	m, err := newMiddleware(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range negotiations {
		codec, must := m.negotiate(c.accept)
		name := ""
		if codec != nil {
			name = codec.name
		}
		if name != c.coding || must != c.must {
			t.Errorf("%q: %q, %v, want %q, %v", c.accept, name, must, c.coding, c.must)
		}
	}
}

// FuzzNegotiate: a coding is chosen only where the client has named it, or any.
func FuzzNegotiate(f *testing.F) {
	for _, c := range negotiations {
		f.Add(c.accept)
	}
	m, err := newMiddleware(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		codec, _ := m.negotiate(accept)
		if codec == nil {
			return
		}
		if low := strings.ToLower(accept); !strings.Contains(low, codec.name) && !strings.Contains(low, "*") {
			t.Errorf("%q chose %s", accept, codec.name)
		}
		if only, _ := m.negotiate(codec.name); only != codec {
			t.Errorf("%q chose %s, which cannot be asked for", accept, codec.name)
		}
	})
}
