package secure

import "bytes"

// helloPiece bounds what a record of the greeting carries when crypto/tls is given it, in octets. With its head it fits into the smallest
// buffer that crypto/tls reads into.
const helloPiece = 512

// cutHello adds what was received to dst. It begins with a whole record, which is cut into several: a message of the handshake may be
// spread over records as one likes (RFC 8446 5.1). A tls.Conn keeps the buffer for records and the one for messages; both grow by doubling. So the first
// stays small, and the pieces are a half, a quarter, an eighth of the message, so that the second ends at its size.
func cutHello(dst *bytes.Buffer, in []byte) {
	n := recordLength(in)
	pieces := 1
	for n > pieces*helloPiece {
		pieces *= 2
	}
	size := (n + pieces - 1) / pieces
	dst.Grow(len(in) + pieces*recordHead)
	message, behind := in[recordHead:recordHead+n], in[recordHead+n:]
	for {
		m := min(size, len(message))
		dst.Write([]byte{in[0], in[1], in[2], byte(m >> 8), byte(m)})
		dst.Write(message[:m])
		if message = message[m:]; len(message) == 0 {
			break
		}
	}
	dst.Write(behind)
}
