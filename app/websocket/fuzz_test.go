package websocket

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
)

// FuzzNegotiate: whatever is offered, what is answered is one of the offers, and can be parsed.
func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", "x, permessage-deflate; server_max_window_bits=10, permessage-deflate",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=8",
		"permessage-deflate; server_max_window_bits=\"15\"", ";;=", "permessage-deflate;", "permessage-deflate; client_max_window_bits=0",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, offers []byte) {
		answer, ok := negotiate(offers)
		if !ok {
			if answer != "" {
				t.Fatalf("%q is answered with %q, and not agreed on", offers, answer)
			}
			return
		}
		options, valid := httphead.ParseOptions([]byte(answer), nil)
		var p wsflate.Parameters
		if !valid || len(options) != 1 || p.Parse(options[0]) != nil || !p.ServerNoContextTakeover || !p.ClientNoContextTakeover {
			t.Fatalf("%q is answered with %q", offers, answer)
		}
		if p.ServerMaxWindowBits.Defined() && !bytes.Contains(offers, []byte("server_max_window_bits")) {
			t.Fatalf("%q has no server_max_window_bits, %q has", offers, answer)
		}
	})
}

// FuzzInflate: what is inflated keeps to its limit, and what was deflated comes back.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), 100)
	f.Add([]byte("\xff\xff\xff"), 10)
	f.Add(bytes.Repeat([]byte("x"), 1000), 1000)
	f.Add(deflate(nil, make([]byte, 100_000)), 500)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = max(limit&0xffff, 1)
		out, err := Inflate(in, limit)
		if len(out) > limit || err != nil && !errors.Is(err, ErrDeflate) && !errors.Is(err, ErrTooBig) {
			t.Fatalf("%d octets of %d, %v", len(out), limit, err)
		}
		back, err := Inflate(deflate(nil, in), limit)
		switch {
		case len(in) > limit:
			if !errors.Is(err, ErrTooBig) {
				t.Fatalf("%d octets of %d: %v", len(in), limit, err)
			}
		case err != nil || !bytes.Equal(back, in):
			t.Fatalf("%x comes back as %x, %v", in, back, err)
		}
	})
}
