package secure

import (
	"io"

	"github.com/weirhttp/weir/loop"
)

// records is behind the wire of a connection that has left its loop. It never reads beyond a record: what a tls.Conn has of the next one makes its
// buffer grow to a multiple of a record, and it keeps that buffer. That costs no system calls: the connection reads ahead.
type records struct {
	*loop.Detached
	head  [recordHead]byte
	have  int // octets of head
	given int // octets of the record that were returned
}

// Read implements net.Conn. One goroutine at a time reads. The head of a record comes with what is there of the record, so that a short one arrives
// in one piece, for which no buffer has to grow.
func (r *records) Read(p []byte) (n int, err error) {
	for r.have < recordHead {
		n, err := r.Detached.Read(r.head[r.have:])
		if r.have += n; err != nil {
			if err == io.EOF && r.have > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	if r.given < recordHead {
		n = copy(p, r.head[r.given:])
		r.given += n
	}
	left := recordHead + recordLength(r.head[:]) - r.given
	if m := min(left, len(p)-n); m > 0 && (n == 0 || r.Buffered() > 0) {
		m, err = r.Detached.Read(p[n : n+m])
		n += m
		r.given += m
		left -= m
	}
	if left == 0 {
		r.have, r.given = 0, 0
	}
	return n, err
}
