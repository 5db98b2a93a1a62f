package httpparse

import "bytes"

// requestLine parses
//
//	request-line = method SP request-target SP HTTP-version ; RFC 9112 3
//
// and the CRLF behind it. The method is read octet by octet as it arrives, so
// that what is not HTTP at all, such as a TLS handshake, is refused before a
// line end is waited for.
func (r *Request) requestLine(buf []byte, limits *Limits) error {
	start := int(r.start)
	limit := limitAt(start, limits.RequestLine)
	window := buf[:min(len(buf), limit)]

	scanned := int(r.scanned)
	if r.phase == method {
		for scanned < len(window) && tchar.has(window[scanned]) {
			scanned++
		}
		if scanned == len(window) {
			if len(buf) >= limit {
				return refuse(MethodTooLong, limit)
			}
			r.scanned = uint32(scanned)
			return NeedMore
		}
		if window[scanned] != ' ' || scanned == start {
			if window[scanned] == '\n' {
				return refuse(BareLF, scanned)
			}
			return refuse(BadMethod, scanned)
		}
		r.Method = span(start, scanned)
		r.phase = lineEnd
		scanned++
		if end := r.usualLine(window, scanned); end > 0 {
			r.fieldsFollow(end)
			return nil
		}
	}

	length := bytes.IndexByte(window[scanned:], '\n')
	if length < 0 {
		if cr := bareCR(window, max(int(r.Method.End), scanned-1)); cr >= 0 {
			return refuse(BareCR, cr)
		}
		if len(buf) >= limit {
			return refuse(RequestLineTooLong, limit)
		}
		r.scanned = uint32(len(buf))
		return NeedMore
	}
	lf := scanned + length
	if cr := bareCR(buf[:lf], int(r.Method.End)); cr >= 0 && cr < lf-1 {
		return refuse(BareCR, cr)
	}
	if buf[lf-1] != '\r' {
		return refuse(BareLF, lf)
	}
	if err := r.targetAndVersion(buf[:lf-1]); err != nil {
		return err
	}
	r.fieldsFollow(lf + 1)
	return nil
}

func (r *Request) fieldsFollow(pos int) {
	r.phase = fieldLines
	r.start, r.scanned, r.section = uint32(pos), uint32(pos), uint32(pos)
}

// usualLine parses a complete line with a target in origin-form and HTTP/1.1 in
// one pass, and returns the offset behind it. It returns 0 for all other lines,
// right or wrong, which targetAndVersion then parses from the start.
func (r *Request) usualLine(buf []byte, start int) int {
	if start >= len(buf) || buf[start] != '/' || r.isMethod(buf, "CONNECT") {
		return 0
	}
	end := r.pathAndQuery(buf, start)
	line := buf[end:]
	if len(line) < len(" HTTP/1.1\r\n") || line[0] != ' ' || word(line, 1) != http11 || line[9] != '\r' || line[10] != '\n' {
		return 0
	}
	r.Form = OriginForm
	r.Target = span(start, end)
	r.ClientMinor, r.Minor = 1, 1
	return end + len(" HTTP/1.1\r\n")
}

// targetAndVersion parses what follows the method, up to the end of line. The
// version is judged first: a later version may know other targets. It is the
// last word, so that further spaces are the target's mistake.
//
//	HTTP-version = HTTP-name "/" DIGIT "." DIGIT ; RFC 9112 2.3
//	HTTP-name    = %s"HTTP"
func (r *Request) targetAndVersion(line []byte) error {
	start, end := int(r.Method.End)+1, len(line)-len(" HTTP/1.1")
	if end < start || line[end] != ' ' {
		return refuse(badVersion(line, start))
	}
	version := word(line, end+1)
	major, minor := byte(version>>40)-'0', byte(version>>56)-'0'
	if version&^digitsOfHTTP != http11&^digitsOfHTTP || major > 9 || minor > 9 {
		return refuse(badVersion(line, start))
	}
	if major != 1 {
		return refuse(VersionNotSupported, end+1)
	}
	r.ClientMinor, r.Minor = minor, min(minor, 1)
	r.Target = span(start, end)
	if wrong := r.target(line[:end], start); wrong >= 0 {
		return refuse(orBareCR(BadTarget, line, wrong))
	}
	return nil
}

const (
	http11       = 0x312e312f50545448 // "HTTP/1.1" as a word
	digitsOfHTTP = 0xff00ff0000000000 // its two digits
)

func (r *Request) isMethod(buf []byte, name string) bool {
	return string(r.Method.Of(buf)) == name
}

// badVersion says what is wrong with line[start:], which does not end with a
// version: a CR, which may have been meant as a line end, or where the version
// should begin.
func badVersion(line []byte, start int) (Kind, int) {
	if cr := bytes.IndexByte(line[start:], '\r'); cr >= 0 {
		return BareCR, start + cr
	}
	if sp := bytes.LastIndexByte(line[start:], ' '); sp >= 0 {
		return BadVersion, start + sp + 1
	}
	return BadVersion, len(line)
}
