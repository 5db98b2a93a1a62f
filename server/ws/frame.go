package ws

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// parseHeader parses the header of a frame (RFC 6455 5.2) at the beginning of in: n octets, 0 when it is not there whole. What it says
// is not checked. gobwas/ws has the same for an io.Reader, which would have to wait.
func parseHeader(in []byte) (h ws.Header, n int) {
	if len(in) < 2 {
		return h, 0
	}
	h.Fin = in[0]&0x80 != 0
	h.Rsv = in[0] >> 4 & 7
	h.OpCode = ws.OpCode(in[0] & 15)
	h.Masked = in[1]&0x80 != 0
	length, n := uint64(in[1]&0x7f), 2
	switch {
	case length == 126 && len(in) >= 4:
		length, n = uint64(binary.BigEndian.Uint16(in[2:])), 4
	case length == 127 && len(in) >= 10:
		length, n = binary.BigEndian.Uint64(in[2:]), 10
	case length >= 126:
		return h, 0
	}
	h.Length = int64(length) // negative: checkHeader refuses it
	if h.Masked {
		if len(in) < n+4 {
			return h, 0
		}
		n += copy(h.Mask[:], in[n:])
	}
	return h, n
}

// checkHeader tells what is wrong with a frame of a client by itself, or behind the one before; nil: nothing. fragmented tells that a message has
// begun. deflate tells that messages may be compressed, by RSV1 of their first frame (RFC 7692 6).
func checkHeader(in []byte, h ws.Header, fragmented, deflate bool) error {
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if deflate && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		h.Rsv &^= ws.Rsv(true, false, false)
	}
	if h.Length < 0 || !isMinimal(in, h.Length) {
		return errLength
	}
	return ws.CheckHeader(h, state)
}

const errLength = ws.ProtocolError("frame length is not in its shortest form")

// isMinimal tells whether the length of a frame is in its shortest form (RFC 6455 5.2).
func isMinimal(in []byte, length int64) bool {
	switch in[1] & 0x7f {
	case 126:
		return length > 125
	case 127:
		return length > 0xffff
	}
	return true
}
