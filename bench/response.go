package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/weirhttp/weir/bench/internal/response"
)

// A responseReader reads the responses of one connection and checks each. It
// keeps to what the compared servers send: a Content-Length, no chunks.
type responseReader struct {
	conn io.Reader
	want exchange
	buf  []byte // received and not consumed yet
	room []byte // what buf lies in
}

const (
	firstRoom = 16 << 10
	mostRoom  = 4 << 20
)

func newResponseReader(conn io.Reader, want exchange) *responseReader {
	return &responseReader{conn: conn, want: want, room: make([]byte, firstRoom)}
}

// next consumes one response.
func (r *responseReader) next() error {
	for {
		got, size, err := response.Parse(r.buf)
		if err != nil {
			return err
		}
		if size > 0 {
			err := r.want.answered(got.Status, got.Content)
			r.buf = r.buf[size:]
			return err
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

func (r *responseReader) fill() error {
	if len(r.buf) == len(r.room) {
		if len(r.room) >= mostRoom {
			return fmt.Errorf("bad response: longer than %d octets", mostRoom)
		}
		r.room = make([]byte, 4*len(r.room))
	}
	kept := copy(r.room, r.buf)
	n, err := r.conn.Read(r.room[kept:])
	r.buf = r.room[:kept+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// end wants the server to close now, with nothing sent before it.
func (r *responseReader) end() error {
	if len(r.buf) > 0 {
		return fmt.Errorf("bad response: %d octets behind the last one", len(r.buf))
	}
	switch err := r.fill(); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("bad response: octets behind the last one")
}
