package accesslog

import (
	"bytes"

	"github.com/weirhttp/weir/app"
)

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
	if bytes.IndexByte(path, '%') < 0 {
		return path
	}
	return app.AppendPercentDecoded(make([]byte, 0, len(path)), path)
}
