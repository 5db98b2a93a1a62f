package httpparse

// Form is the form of a request target (RFC 9112 section 3.2).
type Form uint8

// The four forms.
const (
	OriginForm    Form = iota // "/path?query"
	AbsoluteForm              // "http://host/path?query", sent to proxies
	AuthorityForm             // "host:port", with CONNECT only
	AsteriskForm              // "*", with OPTIONS only
)

// Expect is what the client's Expect field asks for (RFC 9110 section 10.1.1).
type Expect uint8

// Expectations.
const (
	ExpectNone     Expect = iota // no Expect field, or HTTP/1.0
	ExpectContinue               // 100-continue, and nothing else
	ExpectOther                  // something else, which a server may answer with 417
)

// Request is a request head. Its spans are offsets into the buffer that was
// passed to the last call of Parse; after octets before the head were dropped
// there, they count from the first octet that is left.
//
// The zero value is ready for use. A Request is not safe for concurrent use.
// All is valid once Parse has returned without an error, until Reset.
type Request struct {
	Method, Target Span

	// Parts of Target, empty where its form has no such part. Authority is that
	// of the absolute-form or the authority-form. Path may be empty in the
	// absolute-form. Query excludes the "?".
	Scheme, Authority, Path, Query Span

	// Fields holds the field lines in the order received. Its array is reused by
	// the next request.
	Fields []Field

	// Host is the value of the Host field, if HasHost. For a target in
	// absolute-form a server uses Authority instead (RFC 9112 section 3.2.2).
	Host Span

	ContentLength int64 // octets; -1 when the field is absent

	Form     Form
	HasQuery bool // there is a "?", though Query may be empty

	Minor       uint8 // 0 or 1; HTTP/1.2 to 1.9 are treated as 1.1 (RFC 9110 section 2.5)
	ClientMinor uint8 // what was sent, 0 to 9

	HasHost         bool
	Chunked         bool   // the body is in the chunked transfer coding
	KeepAlive       bool   // the connection persists after this request (RFC 9112 section 9.3)
	ConnectionClose bool   // the client sent the close option
	Expect          Expect // what the client waits for before it sends the body

	// UnderscoreFields says that some field name holds a "_". As a CGI variable
	// it could not be told from the name with a "-" in its place.
	UnderscoreFields bool

	// ForwardedFields says that some field name begins with an F or an X: only then may there be one that a proxy
	// speaks for a client with (Forwarded, X-Forwarded-For, ...).
	ForwardedFields bool

	phase   phase
	seen    seen
	length  Span   // value of the first Content-Length
	start   uint32 // of the line that is being read
	scanned uint32 // octets before it are known not to end the line (or the method)
	section uint32 // where the field section starts
	dropped uint32 // octets of empty lines that the caller has dropped
	judged  []byte // a copy of the last Host that was valid: most requests repeat it
}

type phase uint8

const (
	emptyLines phase = iota // before the request line
	method                  // in the first word of the request line
	lineEnd                 // behind it
	fieldLines
)

// seen are the fields that Parse acts on, as met so far.
type seen uint8

const (
	seenRepeatedHost seen = 1 << iota
	seenContentLength
	seenRepeatedContentLength
	seenTransferEncoding
	seenKeepAlive
)

// Reset makes r ready for the next request. It keeps the array of Fields, and the last valid Host.
func (r *Request) Reset() {
	*r = Request{Fields: r.Fields[:0], judged: r.judged}
}

// BehindEmptyLines tells that n octets of empty lines before the head were dropped with another Request: they count
// against the limit too. It is called before Parse.
func (r *Request) BehindEmptyLines(n int) { r.dropped = uint32(n) }

// Parse reads one request head from the start of buf. After a call that
// returned NeedMore, buf must begin with the same octets again, less those that
// were reported as consumed; it may have moved in memory. limits must not be
// nil, and must stay the same for a request.
//
//   - n, nil: the head is complete and takes the first n octets.
//   - n, NeedMore: it is incomplete. n > 0 only when buf holds nothing but n
//     octets of empty lines, which the caller drops (RFC 9112 section 2.2).
//   - 0, *Error: the request is refused; its Offset counts from the start of buf.
//
// Grammar is judged a line at a time, when the line is complete, except that a
// wrong octet in the method is refused at once. What depends on several fields
// is judged at the end of the head: first Host, then Transfer-Encoding, then
// Content-Length. Within a line, its length comes before its grammar.
//
// Parse keeps no reference to buf. After it returned nil or an *Error, Reset
// comes before the next call.
func (r *Request) Parse(buf []byte, limits *Limits) (n int, err error) {
	if r.phase != fieldLines {
		if r.phase == emptyLines {
			if len(buf) > 0 && tchar.has(buf[0]) {
				r.phase = method
			} else if n, err := r.emptyLines(buf, limits); err != nil {
				return n, err
			}
		}
		if err := r.requestLine(buf, limits); err != nil {
			return 0, err
		}
	}
	n, err = r.fieldSection(buf, limits)
	if err != nil {
		return 0, err
	}
	if err := r.judge(buf, n); err != nil {
		return 0, err
	}
	return n, nil
}

// emptyLines skips the empty lines that some clients send after a body. RFC
// 9112 section 2.2 wants at least one ignored; we count their octets against
// Limits.RequestLine, so that nobody can send them for ever.
func (r *Request) emptyLines(buf []byte, limits *Limits) (n int, err error) {
	pos := int(r.start)
	for pos < len(buf) && (buf[pos] == '\r' || buf[pos] == '\n') {
		if buf[pos] == '\n' {
			return 0, refuse(BareLF, pos)
		}
		if pos+1 == len(buf) {
			r.start = uint32(pos)
			return 0, NeedMore
		}
		if buf[pos+1] != '\n' {
			return 0, refuse(BareCR, pos)
		}
		if pos+2+int(r.dropped) > limits.RequestLine {
			return 0, refuse(TooManyEmptyLines, pos)
		}
		pos += 2
	}
	if pos == len(buf) {
		r.start, r.dropped = 0, r.dropped+uint32(pos)
		return pos, NeedMore
	}
	r.start, r.scanned = uint32(pos), uint32(pos)
	r.phase = method
	return 0, nil
}
