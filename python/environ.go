package python

import (
	"bytes"
	"strconv"

	"github.com/weirhttp/weir/app"
)

// appendEnviron appends the environ as a marshalled dict of str to str: the CGI and the HTTP keys. length is what
// CONTENT_LENGTH is, when the environ does not know it; 0: nothing.
func appendEnviron(dst []byte, environ *app.Environ, length int64) []byte {
	dst = append(dst, marshalDict)
	for _, key := range gatewayKeys {
		if s, ok := lookup(environ, key); ok {
			dst = appendPair(dst, key, s)
		}
	}
	for _, key := range tlsKeys {
		if s, ok := environ.Lookup(key); ok {
			dst = appendPair(dst, key, s)
		}
	}
	if environ.ContentLength() < 0 && length > 0 {
		dst = appendPair(dst, "CONTENT_LENGTH", strconv.FormatInt(length, 10))
	}
	if environ.Get("wsgi.url_scheme") == "https" {
		dst = appendPair(dst, "wsgi.url_scheme", "https")
	}
	for name, value := range environ.Variables() { // those of a web server in front
		if len(name) <= 255 {
			dst = appendPair(dst, string(name), value)
		}
	}
	dst = appendPair(dst, "PATH_INFO", environ.Path())
	dst = appendPair(dst, "QUERY_STRING", environ.Query())
	dst = appendFields(dst, environ)
	return append(dst, marshalEnd)
}

// gatewayKeys are the keys other than those of fields, of the path and the query. There are fewer than 16; appendMeta has their order.
var gatewayKeys = []string{
	"REQUEST_METHOD", "SCRIPT_NAME", "REQUEST_URI", "RAW_URI", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT",
	"REMOTE_USER", "AUTH_TYPE", "HTTPS", "CONTENT_LENGTH", "wsgi.url_scheme",
}

// lookup is environ.Lookup for what workers do not know by themselves.
func lookup(environ *app.Environ, key string) (value string, ok bool) {
	value, ok = environ.Lookup(key)
	return value, ok && !(key == "wsgi.url_scheme" && value == "http")
}

// tlsKeys come behind them.
var tlsKeys = app.TLSKeys()

func appendPair[T string | []byte](dst []byte, key string, value T) []byte {
	return appendLatin1(appendKey(dst, key), value)
}

// appendFields appends the header fields.
func appendFields(dst []byte, environ *app.Environ) []byte {
	start := len(dst)
	var seen uint64
	n := 0
	for name, value := range environ.Fields() {
		bit := nameBit(name)
		if seen&bit != 0 && isRepeated(environ, name, n) {
			return appendJoined(dst[:start], environ)
		}
		seen |= bit
		n++
		key := len(dst)
		if dst = appendFieldKey(dst, name); len(dst) > key {
			dst = appendLatin1(dst, value)
		}
	}
	return dst
}

// nameBit is a bit that fields of the same name have in common, and few others.
func nameBit(name []byte) uint64 {
	return 1 << ((uint(name[0]|0x20) + 5*uint(name[len(name)-1]|0x20) + 11*uint(len(name))) & 63)
}

// isRepeated tells whether one of the first n fields has that name.
func isRepeated(environ *app.Environ, name []byte, n int) bool {
	for other := range environ.Fields() {
		switch {
		case bytes.EqualFold(other, name):
			return true
		case n == 0:
			return false
		}
		n--
	}
	return false
}

// appendJoined is appendFields for repeated fields, which the environ joins.
func appendJoined(dst []byte, environ *app.Environ) []byte {
	seen := make(map[string]bool)
	for name := range environ.Fields() {
		key := len(dst)
		dst = appendFieldKey(dst, name)
		if len(dst) == key || seen[string(dst[key:])] {
			dst = dst[:key]
			continue
		}
		seen[string(dst[key:])] = true
		value, _ := environ.Header(string(name))
		dst = appendLatin1(dst, value)
	}
	return dst
}

// appendFieldKey appends the key of a field; nothing when it is Content-Length, which has been. Names are tokens.
func appendFieldKey(dst, name []byte) []byte {
	switch {
	case len(name) == len("Content-Type") && bytes.EqualFold(name, []byte("Content-Type")):
		return appendKey(dst, "CONTENT_TYPE")
	case isContentLength(name):
		return dst
	case len(name) > 250:
		return appendLatin1(dst, "HTTP_"+string(bytes.ReplaceAll(bytes.ToUpper(name), []byte("-"), []byte("_"))))
	}
	at := len(dst)
	dst = append(dst, marshalShort, byte(len(name)+5), 'H', 'T', 'T', 'P', '_')
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case c == '-':
			c = '_'
		}
		dst = append(dst, c)
	}
	if usualFields[string(dst[at+7:])] {
		dst[at] = marshalShortInterned
	}
	return dst
}

func isContentLength(name []byte) bool {
	return len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length"))
}

// usualFields are the fields whose keys Python keeps one of. Names that clients make up must not fill its table.
var usualFields = map[string]bool{
	"HOST": true, "USER_AGENT": true, "ACCEPT": true, "ACCEPT_ENCODING": true, "ACCEPT_LANGUAGE": true, "CONNECTION": true,
	"COOKIE": true, "REFERER": true, "ORIGIN": true, "AUTHORIZATION": true, "CACHE_CONTROL": true, "PRAGMA": true,
	"IF_NONE_MATCH": true, "IF_MODIFIED_SINCE": true, "RANGE": true, "EXPECT": true, "UPGRADE_INSECURE_REQUESTS": true,
	"X_FORWARDED_FOR": true, "X_FORWARDED_PROTO": true, "X_FORWARDED_HOST": true, "X_REQUESTED_WITH": true, "FORWARDED": true,
	"SEC_FETCH_SITE": true, "SEC_FETCH_MODE": true, "SEC_FETCH_DEST": true, "SEC_FETCH_USER": true, "VIA": true,
}

func appendKey(dst []byte, key string) []byte {
	return append(append(dst, marshalShortInterned, byte(len(key))), key...)
}
