package httpparse

import (
	"bytes"
	"math/bits"
)

// fieldSection parses
//
//	*( field-line CRLF ) CRLF ; RFC 9112 2.1
//
// and returns the offset behind it.
//
// A line is first read in one pass, on the guess that it is complete and right.
// If the guess fails, its LF is looked for, from where the search stopped in the
// last call: only then is it known whether the line is wrong or incomplete.
func (r *Request) fieldSection(buf []byte, limits *Limits) (int, error) {
	fields := r.Fields
	pos, scanned := int(r.start), int(r.scanned)
	sectionLimit := limitAt(int(r.section), limits.FieldSection)
	for {
		limit := min(limitAt(pos, limits.FieldLine), sectionLimit)
		window := buf[:min(len(buf), limit)]
		if pos < len(window) {
			if window[pos] != '\r' {
				if len(fields) >= limits.Fields {
					return 0, refuse(TooManyFields, pos)
				}
			} else if pos+1 < len(window) && window[pos+1] == '\n' {
				r.Fields = fields
				return pos + 2, nil
			}
		}
		if scanned == pos {
			if field, next := r.fieldLine(window, pos); next > 0 {
				fields = append(fields, field)
				pos, scanned = next, next
				continue
			}
		}

		length := bytes.IndexByte(window[scanned:], '\n')
		if length < 0 {
			if cr := bareCR(window, max(pos, scanned-1)); cr >= 0 {
				return 0, refuse(BareCR, cr)
			}
			if len(buf) >= limit {
				if limit == sectionLimit {
					return 0, refuse(FieldSectionTooLarge, limit)
				}
				return 0, refuse(FieldTooLarge, limit)
			}
			r.Fields = fields
			r.start, r.scanned = uint32(pos), uint32(len(buf))
			return 0, NeedMore
		}
		end := scanned + length + 1
		field, next := r.fieldLine(window[:end], pos)
		if next == 0 {
			return 0, refuse(badFieldLine(window[:end], pos))
		}
		fields = append(fields, field)
		pos, scanned = next, next
	}
}

// fieldLine parses
//
//	field-line    = field-name ":" OWS field-value OWS                   ; RFC 9112 5
//	field-name    = token                                                ; RFC 9110 5.1
//	field-value   = *field-content                                       ; RFC 9110 5.5
//	field-content = field-vchar [ 1*( SP / HTAB / field-vchar ) field-vchar ]
//
// and the CRLF behind it, from buf[start:], and returns the offset behind that.
// next is 0 if there is no such line, or not all of it. A line that is accepted
// holds no other LF, so the search for one is spared.
func (r *Request) fieldLine(buf []byte, start int) (field Field, next int) {
	colon := start
	for colon+8 <= len(buf) {
		other := notNameLike(word(buf, colon))
		if other == 0 {
			colon += 8
			continue
		}
		colon += bits.TrailingZeros64(other) / 8
		break
	}
	var met class
	for colon < len(buf) {
		c := classes[buf[colon]]
		if c&tchar == 0 {
			break
		}
		met |= c
		colon++
	}
	if colon == start || colon >= len(buf) || buf[colon] != ':' {
		return Field{}, 0
	}

	value := colon + 1
	end := value
	for {
		if end+8 <= len(buf) {
			controls := fieldControls(word(buf, end))
			if controls == 0 {
				end += 8
				continue
			}
			end += bits.TrailingZeros64(controls) / 8
		}
		if end >= len(buf) {
			return Field{}, 0
		}
		if !fieldOctet.has(buf[end]) {
			break
		}
		end++
	}
	if end+1 >= len(buf) || buf[end] != '\r' || buf[end+1] != '\n' {
		return Field{}, 0
	}
	next = end + 2

	for value < end && (buf[value] == ' ' || buf[value] == '\t') {
		value++
	}
	for end > value && (buf[end-1] == ' ' || buf[end-1] == '\t') {
		end--
	}
	if met&underscore != 0 {
		r.UnderscoreFields = true
	}
	if c := buf[start] | 0x20; c == 'x' || c == 'f' {
		r.ForwardedFields = true
	}
	field = Field{Name: span(start, colon), Value: span(value, end)}
	switch colon - start {
	case len("host"):
		if isHost(buf[start:]) {
			r.noteHost(field.Value)
		}
	case len("expect"), len("connection"), len("content-length"), len("transfer-encoding"):
		r.note(buf, field)
	}
	return field, next
}

// badFieldLine says what is wrong with the line that begins at start, ends with
// buf in an LF, and that fieldLine does not accept.
func badFieldLine(buf []byte, start int) (Kind, int) {
	end := len(buf) - len("\r\n")
	if cr := bareCR(buf, start); cr >= 0 {
		return BareCR, cr
	}
	if end < start || buf[end] != '\r' {
		return BareLF, len(buf) - 1
	}
	line := buf[:end]
	name := start
	for name < end && tchar.has(line[name]) {
		name++
	}
	if name == end {
		return MissingColon, end
	}
	switch c := line[name]; {
	case c == ':' && name > start:
		for value := name + 1; value < end; value++ {
			if !fieldOctet.has(line[value]) {
				return orBareCR(BadFieldValue, line, value)
			}
		}
	case c == ' ' || c == '\t':
		if name == start {
			return ObsoleteFolding, start
		}
		if rest := bytes.TrimLeft(line[name:], " \t"); len(rest) > 0 && rest[0] == ':' {
			return SpaceBeforeColon, name
		}
	}
	return orBareCR(BadFieldName, line, name)
}

// orBareCR returns kind for the octet at offset, or BareCR if it is a CR.
func orBareCR(kind Kind, line []byte, offset int) (Kind, int) {
	if offset < len(line) && line[offset] == '\r' {
		kind = BareCR
	}
	return kind, offset
}

// bareCR returns the offset of the first CR in buf[start:] that something else than LF follows, or -1. A line with
// one is wrong before its LF comes, which may be never.
func bareCR(buf []byte, start int) int {
	for start < len(buf) {
		cr := bytes.IndexByte(buf[start:], '\r')
		if cr < 0 || start+cr+1 == len(buf) {
			return -1
		}
		start += cr + 1
		if buf[start] != '\n' {
			return start - 1
		}
	}
	return -1
}
