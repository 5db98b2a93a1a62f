package h2

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// octets are those that write makes.
func octets(write func(f *http2.Framer)) []byte {
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	f.AllowIllegalWrites = true
	write(f)
	return b.Bytes()
}

// TestFollower: frames are found however their octets come.
func TestFollower(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(f *http2.Framer)
		cut   int    // octets at the end that are not there
		want  string // length, type and flags of each frame
		begun bool
	}{
		{"nothing", func(*http2.Framer) {}, 0, "", false},
		{"SETTINGS", func(f *http2.Framer) { _ = f.WriteSettings(http2.Setting{ID: 3, Val: 1}) }, 0, "6 SETTINGS 0;", false},
		{"two", func(f *http2.Framer) { _ = f.WriteSettingsAck(); _ = f.WritePing(false, [8]byte{}) }, 0, "0 SETTINGS 1;8 PING 0;", false},
		{"half a header", func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{}) }, 10, "", true},
		{"half a frame", func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{}) }, 3, "8 PING 0;", true},
		{"half of content", func(f *http2.Framer) { _ = f.WriteData(1, true, make([]byte, 300)) }, 3, "300 DATA 1;", false},
		{"a head", func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x"), EndHeaders: true})
		}, 0, "1 HEADERS 4;", false},
		{"a head that goes on", func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x")})
			_ = f.WriteContinuation(1, false, nil)
		}, 0, "1 HEADERS 0;0 CONTINUATION 0;", true},
		{"a head that has gone on", func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("x")})
			_ = f.WriteContinuation(1, true, []byte("yz"))
			_ = f.WriteData(1, false, nil)
		}, 0, "1 HEADERS 0;2 CONTINUATION 4;0 DATA 0;", false},
		{"a large frame", func(f *http2.Framer) { _ = f.WriteData(1, false, make([]byte, 1<<20)) }, 0, "1048576 DATA 0;", false},
	} {
		all := append([]byte(http2.ClientPreface), octets(test.write)...)
		all = all[:len(all)-test.cut]
		for _, step := range []int{1, 2, 7, 10, 24, len(all)} {
			s := follower{left: len(http2.ClientPreface)}
			got := ""
			for p := all; len(p) > 0; {
				n := min(step, len(p))
				s.follow(p[:n], func(f frameHead) { got += fmt.Sprintf("%d %v %d;", f.length, f.kind, f.flags) })
				p = p[n:]
			}
			if got != test.want || s.begun() != test.begun {
				t.Errorf("%s, %d octets at a time: got %s, begun %v", test.name, step, got, s.begun())
			}
		}
	}
}

// TestCost: what asks for something is free.
func TestCost(t *testing.T) {
	for _, test := range []struct {
		f           frameHead
		cost, worth int64
	}{
		{frameHead{10, http2.FrameHeaders, 0}, 0, 1},
		{frameHead{10, http2.FrameData, 0}, 0, 2},
		{frameHead{16 << 10, http2.FrameData, 0}, 0, 18},
		{frameHead{0, http2.FrameData, 0}, 1, 2},
		{frameHead{0, http2.FrameData, http2.FlagDataEndStream}, 0, 2},
		{frameHead{256, http2.FrameData, http2.FlagDataPadded}, 1, 2},
		{frameHead{257, http2.FrameData, http2.FlagDataPadded}, 0, 2},
		{frameHead{4, http2.FrameRSTStream, 0}, 1, 0},
		{frameHead{0, http2.FrameSettings, http2.FlagSettingsAck}, 1, 0},
		{frameHead{8, http2.FramePing, 0}, 1, 0},
		{frameHead{4, http2.FrameWindowUpdate, 0}, 1, 0},
		{frameHead{5, http2.FramePriority, 0}, 1, 0},
		{frameHead{100, http2.FrameContinuation, 0}, 1, 0},
		{frameHead{0, 0xbe, 0}, 1, 0},
	} {
		if cost, worth := test.f.cost(), test.f.worth(); cost != test.cost || worth != test.worth {
			t.Errorf("%v: cost %d, worth %d", test.f, cost, worth)
		}
	}
}

// TestCredit: it is spent, and time and answers give it back, but no more than there was.
func TestCredit(t *testing.T) {
	var c credit
	c.init()
	c.give(5)
	c.take(mostCredit)
	if c.spent() {
		t.Error("it is spent too early")
	}
	if c.take(1); !c.spent() {
		t.Error("there is more of it than there was")
	}
	c.at.Add(-int64(time.Second))
	if c.spent() || c.left.Load() < creditPerSecond/2 {
		t.Errorf("a second has given %d", c.left.Load())
	}
	c.take(c.left.Load() + 3)
	if c.give(3); c.spent() {
		t.Error("an answer has given nothing")
	}
	c.at.Add(-int64(time.Hour))
	c.take(1)
	if c.spent() || c.left.Load() > mostCredit {
		t.Errorf("an hour has given %d", c.left.Load())
	}
}

// FuzzFollower: the frames are those that golang.org/x/net/http2 reads, however the octets come.
func FuzzFollower(f *testing.F) {
	f.Add(octets(func(f *http2.Framer) {
		_ = f.WriteSettings(http2.Setting{ID: 4, Val: 9})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("abc")})
		_ = f.WriteContinuation(1, true, []byte("d"))
		_ = f.WriteData(1, true, []byte("content"))
	}), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		var got, want []string
		var s follower
		for p := in; len(p) > 0; {
			n := min(int(step)+1, len(p))
			s.follow(p[:n], func(f frameHead) { got = append(got, fmt.Sprint(f.length, f.kind, f.flags)) })
			p = p[n:]
		}
		r := bytes.NewReader(in)
		for {
			h, err := http2.ReadFrameHeader(r)
			if err != nil {
				break
			}
			want = append(want, fmt.Sprint(int(h.Length), h.Type, h.Flags))
			_, _ = r.Seek(int64(min(int(h.Length), r.Len())), 1)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
