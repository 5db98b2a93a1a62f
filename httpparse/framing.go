package httpparse

import (
	"bytes"
	"math"
)

func (r *Request) noteHost(value Span) {
	if r.HasHost {
		r.seen |= seenRepeatedHost
		return
	}
	r.HasHost, r.Host = true, value
}

// note records a field that decides about the message or the connection. Values
// are judged at the end of the head, except the options of Connection and
// Expect, of which none is an error.
func (r *Request) note(line []byte, field Field) {
	name := field.Name.Of(line)
	switch len(name) {
	case len("expect"):
		if equalFold(name, "expect") {
			r.expectation(field.Value.Of(line))
		}
	case len("connection"):
		if equalFold(name, "connection") {
			r.connectionOption(field.Value.Of(line))
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			if r.seen&seenContentLength != 0 {
				r.seen |= seenRepeatedContentLength
				return
			}
			r.seen |= seenContentLength
			r.length = field.Value
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			r.seen |= seenTransferEncoding
		}
	}
}

// judge decides what depends on more than one line, at the end of the head. Its
// order is part of Parse's documentation.
func (r *Request) judge(buf []byte, end int) error {
	if err := r.judgeHost(buf, end); err != nil {
		return err
	}
	r.ContentLength = -1
	if r.seen&(seenTransferEncoding|seenContentLength) != 0 {
		if err := r.judgeFraming(buf); err != nil {
			return err
		}
	}
	// RFC 9112 section 9.3.
	r.KeepAlive = !r.ConnectionClose && (r.Minor > 0 || r.seen&seenKeepAlive != 0)
	if r.Minor == 0 {
		// RFC 9110 section 10.1.1: ignored when received in HTTP/1.0.
		r.Expect = ExpectNone
	}
	return nil
}

// maxJudged is the longest Host that is remembered, in octets.
const maxJudged = 64

// judgeHost holds RFC 9112 section 3.2: one Host in HTTP/1.1, never two, and a
// valid value. A value without a host is valid only when it is empty.
func (r *Request) judgeHost(buf []byte, end int) error {
	if !r.HasHost {
		if r.Minor > 0 {
			return refuse(MissingHost, end-len("\r\n"))
		}
		return nil
	}
	if r.seen&seenRepeatedHost != 0 {
		return refuse(RepeatedHost, r.second(buf, "host"))
	}
	value := r.Host.Of(buf)
	if len(value) > 0 && string(value) == string(r.judged) {
		return nil // as that of the request before
	}
	host, bad := hostAndPort(value)
	if bad < 0 && host == 0 && r.Host.Len() > 0 {
		// ":80" matches the grammar, yet RFC 9110 section 4.2.1 has every
		// recipient reject an http URI with an empty host.
		bad = 0
	}
	if bad >= 0 {
		return refuse(BadHost, int(r.Host.Start)+bad)
	}
	if len(value) <= maxJudged {
		r.judged = append(r.judged[:0], value...)
	}
	return nil
}

// judgeFraming holds RFC 9112 sections 6.1 to 6.3.
func (r *Request) judgeFraming(buf []byte) error {
	if r.seen&seenTransferEncoding != 0 {
		if r.Minor == 0 {
			return refuse(TransferEncodingInHTTP10, r.first(buf, "transfer-encoding"))
		}
		if r.seen&seenContentLength != 0 {
			return refuse(ConflictingFraming, int(r.length.Start))
		}
		if kind, offset := r.transferEncoding(buf); kind != 0 {
			return refuse(kind, offset)
		}
		r.Chunked = true
		return nil
	}
	if r.seen&seenRepeatedContentLength != 0 {
		return refuse(RepeatedContentLength, r.second(buf, "content-length"))
	}
	length, bad := contentLength(r.length.Of(buf))
	if bad >= 0 {
		return refuse(BadContentLength, int(r.length.Start)+bad)
	}
	r.ContentLength = length
	return nil
}

// contentLength parses
//
//	Content-Length = 1*DIGIT ; RFC 9110 8.6
//
// up to 2^63-1. bad is the index of the first octet that is wrong, or -1.
func contentLength(s []byte) (length int64, bad int) {
	if len(s) == 0 {
		return 0, 0
	}
	for i, c := range s {
		digit := int64(c - '0')
		if digit > 9 || length > (math.MaxInt64-digit)/10 {
			return 0, i
		}
		length = length*10 + digit
	}
	return length, -1
}

// transferEncoding parses the field lines together, as one list:
//
//	Transfer-Encoding = #transfer-coding                            ; RFC 9112 6.1
//	transfer-coding   = token *( OWS ";" OWS transfer-parameter )   ; RFC 9110 10.1.4
//
// Only chunked, once and without parameters, is accepted. What is malformed, or
// would leave the length of the body open, comes before a coding that we do not
// know. Kind 0 is no error.
func (r *Request) transferEncoding(buf []byte) (Kind, int) {
	chunked := false
	unknown := -1
	for _, field := range r.Fields {
		if !equalFold(field.Name.Of(buf), "transfer-encoding") {
			continue
		}
		value, start := field.Value.Of(buf), int(field.Value.Start)
		for at := 0; at <= len(value); {
			coding, next := element(value, at)
			name := token(coding.Of(value))
			offset := start + int(coding.Start)
			params := bytes.TrimLeft(coding.Of(value)[len(name):], " \t")
			switch {
			case len(name) == 0, chunked:
				return BadTransferEncoding, offset
			case equalFold(name, "chunked"):
				if len(params) > 0 {
					return BadTransferEncoding, offset + len(name)
				}
				chunked = true
			case len(params) > 0 && params[0] != ';':
				return BadTransferEncoding, offset + len(name)
			case unknown < 0:
				unknown = offset
			}
			at = next
		}
	}
	switch {
	case !chunked: // RFC 9112 section 6.3: the end of the body cannot be told
		return BadTransferEncoding, unknown
	case unknown >= 0:
		return UnknownTransferCoding, unknown
	}
	return 0, 0
}

// connectionOption parses
//
//	Connection        = #connection-option
//	connection-option = token ; RFC 9110 7.6.1
func (r *Request) connectionOption(value []byte) {
	for at := 0; at <= len(value); {
		option, next := element(value, at)
		switch name := option.Of(value); len(name) {
		case len("close"):
			if equalFoldAny(name, "close") {
				r.ConnectionClose = true
			}
		case len("keep-alive"):
			if equalFoldAny(name, "keep-alive") {
				r.seen |= seenKeepAlive
			}
		}
		at = next
	}
}

// expectation parses
//
//	Expect = #expectation ; RFC 9110 10.1.1
func (r *Request) expectation(value []byte) {
	for at := 0; at <= len(value); {
		expectation, next := element(value, at)
		switch name := expectation.Of(value); {
		case len(name) == 0:
		case !equalFoldAny(name, "100-continue"):
			r.Expect = ExpectOther
		case r.Expect == ExpectNone:
			r.Expect = ExpectContinue
		}
		at = next
	}
}
