package websocket

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
	"github.com/klauspost/compress/flate"
)

// negotiate chooses the first offer of permessage-deflate that can be met, and returns the answer. Neither side keeps its window from one
// message to the next (RFC 7692 7.1.1): both may be demanded of any client, and compressors are shared by all connections.
func negotiate(offers []byte) (answer string, ok bool) {
	options, valid := httphead.ParseOptions(offers, nil)
	if !valid {
		return "", false
	}
	for _, offer := range options {
		var p wsflate.Parameters
		if !bytes.Equal(offer.Name, wsflate.ExtensionNameBytes) || p.Parse(offer) != nil {
			continue
		}
		if p.ServerMaxWindowBits.Defined() && p.ServerMaxWindowBits < 15 {
			continue // the compressor's window has one size
		}
		answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		if p.ServerMaxWindowBits.Defined() {
			answer += "; server_max_window_bits=15"
		}
		return answer, true
	}
	return "", false
}

// deflateTail is what ends each message, and is not sent (RFC 7692 7.2.1). finalBlock has a reader see an end.
const (
	deflateTail = "\x00\x00\xff\xff"
	finalBlock  = "\x01\x00\x00\xff\xff"
)

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	return w
}}

// deflate appends data, compressed.
func deflate(b, data []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	out := bytes.NewBuffer(b)
	w.Reset(out)
	_, _ = w.Write(data) // to memory: there is no error
	_ = w.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte(deflateTail))
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

var (
	// ErrDeflate is what Inflate returns for what is no deflated message.
	ErrDeflate = errors.New("websocket: the compressed message is malformed")
	// ErrTooBig is what Inflate returns for a message above the limit.
	ErrTooBig = errors.New("websocket: the message is too big")
)

// Inflate returns the content of a compressed message, unless it is longer than limit octets. It is for servers.
func Inflate(data []byte, limit int) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	src := io.MultiReader(bytes.NewReader(data), bytes.NewReader([]byte(deflateTail+finalBlock)))
	if err := r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, ErrDeflate
	}
	var out bytes.Buffer
	out.Grow(min(4*len(data), limit) + bytes.MinRead)
	n, err := out.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, ErrDeflate
	case n > int64(limit):
		return nil, ErrTooBig
	}
	return out.Bytes(), nil
}
