package httpparse

import (
	"bytes"
	"math/bits"
)

// target parses the request-target, which is the rest of line from start on. It
// returns the offset of the first octet that is wrong, which may be the one
// behind the target, or -1.
//
//	request-target = origin-form / absolute-form / authority-form / asterisk-form
//	authority-form = uri-host ":" port ; RFC 9112 3.2.3, with CONNECT, which takes no other
//	asterisk-form  = "*"               ; RFC 9112 3.2.4, with OPTIONS only
func (r *Request) target(line []byte, start int) int {
	target := line[start:]
	switch {
	case r.isMethod(line, "CONNECT"):
		host, wrong := hostAndPort(target)
		if wrong < 0 && (host == 0 || len(target)-host < len(":0")) {
			wrong = host
		}
		if wrong >= 0 {
			return start + wrong
		}
		r.Form = AuthorityForm
		r.Authority = r.Target
		return -1
	case len(target) > 0 && target[0] == '/':
		r.Form = OriginForm
		return r.pathAndQueryToEnd(line, start)
	case string(target) == "*" && r.isMethod(line, "OPTIONS"):
		r.Form = AsteriskForm
		return -1
	}
	return r.absoluteForm(line, start)
}

// absoluteForm parses
//
//	absolute-form = absolute-URI                             ; RFC 9112 3.2.2
//	absolute-URI  = scheme ":" hier-part [ "?" query ]       ; RFC 3986 4.3
//	hier-part     = "//" authority path-abempty / ...        ; RFC 3986 3
//
// with an authority that has a host, and no userinfo: RFC 9110 sections 4.2.1
// and 4.2.4 have recipients of http URIs refuse or distrust the others.
func (r *Request) absoluteForm(line []byte, start int) int {
	colon := start
	for colon < len(line) && schemeOctet.has(line[colon]) {
		colon++
	}
	if colon == start || line[start]|0x20 < 'a' || !bytes.HasPrefix(line[colon:], []byte("://")) {
		return colon
	}
	authority := colon + len("://")
	end := authority
	for end < len(line) && line[end] != '/' && line[end] != '?' {
		end++
	}
	host, wrong := hostAndPort(line[authority:end])
	if wrong < 0 && host == 0 {
		wrong = 0
	}
	if wrong >= 0 {
		return authority + wrong
	}
	r.Form = AbsoluteForm
	r.Scheme, r.Authority = span(start, colon), span(authority, end)
	return r.pathAndQueryToEnd(line, end)
}

func (r *Request) pathAndQueryToEnd(line []byte, start int) int {
	if end := r.pathAndQuery(line, start); end < len(line) {
		return end
	}
	return -1
}

// pathAndQuery parses the origin-form, or the end of the absolute-form:
//
//	origin-form   = absolute-path [ "?" query ] ; RFC 9112 3.2.1
//	absolute-path = 1*( "/" segment )           ; RFC 9110 4.1
//
// as far as it goes, and returns where it ends. It takes all VCHAR but "#". A
// "%" in the path must begin a pct-encoded, because the path is going to be
// decoded; the query is left to its reader.
func (r *Request) pathAndQuery(buf []byte, start int) int {
	r.HasQuery = false
	end := start
	for {
		if end+8 <= len(buf) {
			special := notPath(word(buf, end))
			if special == 0 {
				end += 8
				continue
			}
			end += bits.TrailingZeros64(special) / 8
		}
		if end >= len(buf) || !targetOctet.has(buf[end]) {
			break
		}
		if buf[end] == '?' {
			r.Path = span(start, end)
			return r.query(buf, end+1)
		}
		if buf[end] == '%' {
			if end+2 >= len(buf) || !hexDigit.has(buf[end+1]) || !hexDigit.has(buf[end+2]) {
				break
			}
			end += 2
		}
		end++
	}
	r.Path = span(start, end)
	return end
}

// query takes all that a target may hold, from behind the "?" on.
func (r *Request) query(buf []byte, start int) int {
	end := start
	for end+8 <= len(buf) {
		other := notTarget(word(buf, end))
		if other == 0 {
			end += 8
			continue
		}
		end += bits.TrailingZeros64(other) / 8
		break
	}
	for end < len(buf) && targetOctet.has(buf[end]) {
		end++
	}
	r.HasQuery = true
	r.Query = span(start, end)
	return end
}
