package python_test

import (
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/python"
)

// BenchmarkRequestPacket is what a request costs before it is sent: as a dict, and with a shape that workers know.
func BenchmarkRequestPacket(b *testing.B) {
	e := new(app.Environ)
	e.Reset(goldenSource{}, app.NewMemory(nil), &app.Gateway{Software: "weir"})
	for _, shaped := range []bool{false, true} {
		name := "dict"
		if shaped {
			name = "shape"
		}
		b.Run(name, func(b *testing.B) {
			make := python.PacketMaker(shaped)
			b.ReportAllocs()
			for b.Loop() {
				make(e)
			}
		})
	}
}

// BenchmarkHead is what the head of a reply costs.
func BenchmarkHead(b *testing.B) {
	octets := python.AppendMarshal(nil, python.Tuple{"200 OK", []any{python.Tuple{"Content-Type", "text/plain"}, python.Tuple{"X-Other", "value"}}})
	read := python.HeadReader()
	b.ReportAllocs()
	for b.Loop() {
		if err := read(octets); err != nil {
			b.Fatal(err)
		}
	}
}
