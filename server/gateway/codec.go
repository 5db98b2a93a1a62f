package gateway

import "fmt"

// Format is a protocol.
type Format uint8

// Formats.
const (
	UWSGI Format = iota
	FastCGI
	SCGI
)

func (f Format) String() string { return [...]string{"uwsgi", "fastcgi", "scgi"}[f] }

// newCodec returns the codec of a new connection.
func (f Format) newCodec() codec {
	switch f {
	case UWSGI:
		return &uwsgi{}
	case FastCGI:
		return &fastCGI{}
	}
	return &scgi{}
}

// codec is the framing of one connection. What it is given and returns are views, good until the next call.
type codec interface {
	// decode takes the next piece off the front of in, n octets of it. A piece of the kind needMore is the last that there is
	// until there is more behind what was not taken. An error is the end: nothing behind it can be understood.
	decode(in []byte) (n int, p piece, err error)
	// pair takes a variable off the front of a complete block of them.
	pair(block []byte) (name, value, rest []byte, ok bool)
	// begin is called when the variables are known. length is CONTENT_LENGTH, -1 when there is none. It is false when there must be one.
	begin(length int64) bool
	// appendStatus begins the head of a response.
	appendStatus(b []byte, status string) []byte
	// appendRecord opens a record for at most n octets of the response, and tells how many of them it takes.
	appendRecord(b []byte, n int64) ([]byte, int64)
	// appendEnd ends the response, and the request with it.
	appendEnd(b []byte) []byte
	// appendError tells the operator of the web server what went wrong, where the protocol has a way to do that.
	appendError(b []byte, message string) []byte
	// keeps tells whether the connection is good for another request.
	keeps() bool
	// delimits tells whether the end of the response is something else than that of the connection.
	delimits() bool
}

// kind is what a piece is.
type kind uint8

const (
	needMore  kind = iota
	skipped        // nothing that the connection needs to know of
	begun          // a request begins
	variables      // octets of the block of variables
	variablesEnd
	content
	contentEnd
	aborted // the web server no longer wants the answer
	reply   // data is to be sent: an answer of the codec's own
)

// piece is part of what came in.
type piece struct {
	kind kind
	data []byte
	last bool // of content: it is all; of a reply: nothing more is wanted from this connection
}

// formatError is a breach of the protocol by the web server.
type formatError string

func (e formatError) Error() string { return string(e) }

func malformed(format string, args ...any) error { return formatError(fmt.Sprintf(format, args...)) }

// plain is what uwsgi and SCGI have in common: content of a known length, one request a connection, and a response that is what
// it is, until the end of the connection.
type plain struct {
	left int64 // octets of content still to come, once begun
	done bool  // the content was read
}

func (c *plain) begin(length int64) bool {
	c.left = max(length, 0)
	return true
}

// decodeContent is decode behind the variables.
func (c *plain) decodeContent(in []byte) (int, piece, error) {
	switch {
	case c.done && len(in) == 0:
		return 0, piece{}, nil
	case c.done: // somebody's line end; nobody may ask for more than one thing
		return len(in), piece{kind: skipped}, nil
	case c.left == 0:
		c.done = true
		return 0, piece{kind: contentEnd}, nil
	case len(in) == 0:
		return 0, piece{}, nil
	}
	n := int(min(c.left, int64(len(in))))
	c.left -= int64(n)
	c.done = c.left == 0
	return n, piece{kind: content, data: in[:n:n], last: c.done}, nil
}

func (c *plain) appendRecord(b []byte, n int64) ([]byte, int64) { return b, n }
func (c *plain) appendEnd(b []byte) []byte                      { return b }
func (c *plain) appendError(b []byte, _ string) []byte          { return b }
func (c *plain) keeps() bool                                    { return false }
func (c *plain) delimits() bool                                 { return false }
