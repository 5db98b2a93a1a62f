package app

import "strings"

// Version is wsgi.version.
type Version struct{ Major, Minor int }

func (v Version) String() string {
	return "(" + itoa(int64(v.Major)) + ", " + itoa(int64(v.Minor)) + ")"
}

// keys are the keys, other than HTTP_ ones, that an environ may have.
var keys = append([]string{
	"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
	"SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "GATEWAY_INTERFACE",
	"REMOTE_ADDR", "REMOTE_PORT", "REQUEST_URI", "RAW_URI", "HTTPS",
	"wsgi.version", "wsgi.url_scheme", "wsgi.input", "wsgi.errors", "wsgi.multithread",
	"wsgi.multiprocess", "wsgi.run_once", "wsgi.input_terminated", "wsgi.file_wrapper", "wsgi.early_hints",
}, tlsKeys...)

// text answers the keys that are strings and come from the request or the gateway.
func (e *Environ) text(key string) (string, bool) {
	src := e.source
	switch key {
	case "REQUEST_METHOD":
		return src.Method(), true
	case "SCRIPT_NAME":
		return e.script, true
	case "PATH_INFO":
		return string(e.Path()), true
	case "QUERY_STRING":
		return string(src.Query()), true
	case "REQUEST_URI", "RAW_URI":
		return string(src.Target()), true
	case "SERVER_PROTOCOL":
		return src.Protocol(), true
	case "SERVER_SOFTWARE":
		return e.gateway.Software, true
	case "GATEWAY_INTERFACE":
		return "CGI/1.1", true
	case "CONTENT_LENGTH":
		if n := src.ContentLength(); n >= 0 {
			return itoa(n), true
		}
		return "", false
	case "CONTENT_TYPE":
		if v, ok := e.field("Content-Type", equalFold); ok {
			return string(v), true
		}
		return "", false
	case "SERVER_NAME":
		host, _ := src.Local()
		return host, true
	case "SERVER_PORT":
		_, port := src.Local()
		return itoa(int64(port)), true
	case "REMOTE_ADDR":
		host, _ := src.Remote()
		return host, true // RFC 3875 4.1.8: "" on a Unix socket
	case "REMOTE_PORT":
		host, port := src.Remote()
		return itoa(int64(port)), host != "" && port != 0
	case "HTTPS":
		return "on", src.Scheme() == "https"
	case "wsgi.url_scheme":
		return src.Scheme(), true
	}
	if strings.HasPrefix(key, "SSL_") {
		if state := e.TLS(); state != nil {
			return tlsKey(state, key)
		}
		return "", false
	}
	if name, ok := strings.CutPrefix(key, "HTTP_"); ok && name != "CONTENT_TYPE" && name != "CONTENT_LENGTH" {
		if v, ok := e.field(name, equalKey); ok {
			return string(v), true
		}
	}
	return "", false
}

// object answers the wsgi keys that are not strings.
func (e *Environ) object(key string) (any, bool) {
	switch key {
	case "wsgi.version":
		return Version{1, 0}, true
	case "wsgi.input":
		return e.input, true
	case "wsgi.errors":
		return e.gateway.Errors, true
	case "wsgi.multithread":
		return e.gateway.Multithread, true
	case "wsgi.multiprocess":
		return e.gateway.Multiprocess, true
	case "wsgi.run_once":
		return e.gateway.RunOnce, true
	case "wsgi.input_terminated":
		return true, true
	case "wsgi.file_wrapper":
		return FileWrapper, true
	case "wsgi.early_hints":
		return e.earlyHints, true
	}
	return nil, false
}

// equalKey tells whether a field name is the one that key stands for: ACCEPT_ENCODING for
// Accept-Encoding. A name with an underscore is no key's: it could pass for another field that a
// proxy in front has checked (CVE-2015-0219).
func equalKey(key string, name []byte) bool {
	for i := range len(name) {
		if upper(name[i]) != key[i] {
			return false
		}
	}
	return true
}

// fieldKey is the environ key of a field name, "" when it has none.
func fieldKey(name []byte) string {
	if len(name) == 0 {
		return ""
	}
	key := make([]byte, 0, 64)
	key = append(key, "HTTP_"...)
	for _, c := range name {
		if c == '_' {
			return ""
		}
		key = append(key, upper(c))
	}
	if s := string(key); s != "HTTP_CONTENT_TYPE" && s != "HTTP_CONTENT_LENGTH" {
		return s
	}
	return ""
}

// upper is c as it stands in a key. '_' itself stands for nothing that a key may have.
func upper(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A'
	case c == '-':
		return '_'
	case c == '_':
		return 0
	}
	return c
}
