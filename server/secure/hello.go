package secure

// helloPiece bounds what a record of the greeting carries when crypto/tls is given it, in octets. With its head it fits into the smallest
// buffer that crypto/tls reads into.
const helloPiece = 512

// cutHello returns what was received, which begins with a whole record, with that record cut into several: a message of the handshake may be
// spread over records as one likes (RFC 8446 5.1). A tls.Conn keeps the buffer for records and the one for messages; both grow by doubling. So the first
// stays small, and the pieces are a half, a quarter, an eighth of the message, so that the second ends at its size.
func cutHello(in []byte) []byte {
	n := recordLength(in)
	pieces := 1
	for n > pieces*helloPiece {
		pieces *= 2
	}
	if pieces == 1 {
		return in
	}
	size := (n + pieces - 1) / pieces
	out := make([]byte, 0, len(in)+pieces*recordHead)
	message := in[recordHead : recordHead+n]
	for len(message) > 0 {
		m := min(size, len(message))
		out = append(out, in[0], in[1], in[2], byte(m>>8), byte(m))
		out = append(out, message[:m]...)
		message = message[m:]
	}
	return append(out, in[recordHead+n:]...)
}
