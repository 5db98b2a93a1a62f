package accesslog

import "bytes"

// line is a request line in its parts. All are empty where it has not three.
type line struct{ method, path, query, protocol []byte }

// splitLine splits a request line. The path is that of an absolute-form too, and what else there is instead of one.
func splitLine(text []byte) (l line) {
	first := bytes.IndexByte(text, ' ')
	last := len(text) - len(" HTTP/1.1")
	if last < 0 || text[last] != ' ' {
		last = bytes.LastIndexByte(text, ' ')
	}
	if first <= 0 || last <= first+1 || last+1 == len(text) {
		return l
	}
	target := text[first+1 : last]
	if bytes.IndexByte(target, ' ') >= 0 {
		return l
	}
	l.method, l.protocol = text[:first], text[last+1:]
	if target[0] != '/' {
		if i := bytes.Index(target, colonSlashSlash); i > 0 { // RFC 9112 3.2.2
			behind := target[i+len(colonSlashSlash):]
			if j := bytes.IndexAny(behind, "/?"); j >= 0 {
				target = behind[j:]
			} else {
				target = nil
			}
			if len(target) == 0 || target[0] == '?' {
				l.path = slash
			}
		}
	}
	mark := bytes.IndexByte(target, '?')
	if mark < 0 {
		mark = len(target)
	} else {
		l.query = target[mark+1:]
	}
	if mark > 0 {
		l.path = target[:mark]
	}
	return l
}

var colonSlashSlash, slash = []byte("://"), []byte("/")

// unescaped is a path without its percent-encoding, as PATH_INFO is; path itself where it has none.
func unescaped(path []byte) []byte {
	i := bytes.IndexByte(path, '%')
	if i < 0 {
		return path
	}
	plain := append(make([]byte, 0, len(path)), path[:i]...)
	for ; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			high, low := hexValue(path[i+1]), hexValue(path[i+2])
			if high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		plain = append(plain, c)
	}
	return plain
}

// hexValue is the value of a hexadecimal digit; 16: c is none.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}
