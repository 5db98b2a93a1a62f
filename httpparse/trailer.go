package httpparse

// trailer takes an octet of
//
//	trailer-section = *( field-line CRLF ) ; RFC 9112 7.1.2
//
// or of the empty line behind it. Values are checked and thrown away.
func (c *Chunked) trailer(octet byte, limits *Limits) Kind {
	c.section++
	c.line++
	if c.section > int64(limits.FieldSection) || c.line > int64(limits.FieldLine) {
		return TrailerTooLarge
	}
	switch c.state {
	case trailerLine:
		if octet == '\r' {
			c.state = trailerLastLF
			return 0
		}
		if !tchar.has(octet) {
			return atLineEnd(octet, BadTrailer)
		}
		if c.fields >= int64(limits.Fields) {
			return TrailerTooLarge
		}
		c.fields++
		c.name.begin(octet)
		c.state = trailerInName
	case trailerInName:
		switch {
		case tchar.has(octet):
			c.name.add(octet)
		case octet != ':':
			return atLineEnd(octet, BadTrailer)
		case c.name.forbidden():
			return ForbiddenTrailer
		default:
			c.state = trailerValue
		}
	case trailerValue:
		switch {
		case octet == '\r':
			c.state = trailerLF
		case !fieldOctet.has(octet):
			return atLineEnd(octet, BadTrailer)
		}
	case trailerLF:
		if octet != '\n' {
			return BareCR
		}
		c.line = 0
		c.state = trailerLine
	case trailerLastLF:
		if octet != '\n' {
			return BareCR
		}
		c.state = chunkedDone
	}
	return 0
}

// trailerName holds the name of the trailer field that is being read, in lower
// case, as far as it matters to forbidden.
type trailerName struct {
	octets [len("proxy-authentication-info")]byte
	n      int32 // length of the name, which may be over len(octets)
}

func (t *trailerName) begin(octet byte) {
	t.n = 0
	t.add(octet)
}

func (t *trailerName) add(octet byte) {
	if int(t.n) < len(t.octets) {
		t.octets[t.n] = octet | 0x20
	}
	t.n++
}

func (t *trailerName) length() int { return int(t.n) }

// forbidden reports whether the field must not stand in a trailer section. RFC
// 9110 section 6.5.1 forbids those needed for framing, routing, request
// modifiers, authentication, and the format of the content. Whoever merged them
// into the head would let a client say something after the server has judged it.
func (t *trailerName) forbidden() bool {
	if int(t.n) > len(t.octets) {
		return false
	}
	switch name := t.octets[:t.n]; string(name) {
	case
		// framing and routing
		"transfer-encoding", "content-length", "host", "trailer", "connection",
		"te", "upgrade", "keep-alive", "proxy-connection", "via", "forwarded",
		// controls and conditionals of the request, RFC 9110 sections 10.1, 13 and 14
		"cache-control", "pragma", "expect", "max-forwards", "range",
		"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
		// authentication and cookies
		"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
		"authentication-info", "proxy-authentication-info", "cookie", "set-cookie",
		// how to process the content
		"content-encoding", "content-type", "content-range",
		// controls of a response, RFC 9110 sections 10.2 and 15
		"age", "date", "expires", "location", "retry-after", "vary", "warning":
		return true
	}
	return false
}
