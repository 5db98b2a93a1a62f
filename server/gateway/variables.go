package gateway

import (
	"bytes"
	"strconv"
	"strings"
	"unsafe"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
)

// variable is a meta-variable, or a field of the request: views of the transaction's block.
type variable struct{ name, value []byte }

// request is what the variables say.
type request struct {
	fields []variable // those of the client's request, under their own names
	others []variable // what an environ has no place for: DOCUMENT_ROOT, what an administrator has made up

	method, protocol                  string
	uri, query                        []byte
	script, path, document            []byte
	hasPath, hasDocument              bool
	scheme                            string
	remoteAddr, remotePort            []byte
	serverName, serverPort            []byte
	length                            int64 // CONTENT_LENGTH; -1: none
	hasQuery, https, httpsIs, lengths bool
	composed                          []byte // storage of uri where the web server has not told it
}

func (r *request) reset() {
	*r = request{fields: r.fields[:0], others: r.others[:0], composed: r.composed[:0], length: -1, scheme: "http", protocol: "HTTP/1.0"}
}

// refusal is why a request is not served: what the client is told.
type refusal struct {
	code int
	why  string
}

// read reads the block of variables, which it changes: names of fields are spelled as in HTTP. nil: the request can be served.
func (r *request) read(c codec, block []byte, limits *httpparse.Limits) *refusal {
	for len(block) > 0 {
		name, value, rest, ok := c.pair(block)
		if !ok || len(name) == 0 {
			return &refusal{400, "the variables of the request are malformed"}
		}
		block = rest
		if wrong := r.add(name, value, limits); wrong != nil {
			return wrong
		}
	}
	return r.finish(c, limits)
}

// add takes note of a variable. Of those that come twice, the last one counts, as for all who put them into a table: what an
// administrator overrides comes behind what it overrides.
func (r *request) add(name, value []byte, limits *httpparse.Limits) *refusal {
	if field, ok := bytes.CutPrefix(name, httpPrefix); ok {
		return r.addField(field, value, limits)
	}
	switch string(name) {
	case "REQUEST_METHOD":
		r.method = method(value)
	case "SERVER_PROTOCOL":
		r.protocol = protocol(value)
	case "REQUEST_URI":
		r.uri = value
	case "QUERY_STRING":
		r.query, r.hasQuery = value, true
	case "SCRIPT_NAME":
		r.script = value
	case "PATH_INFO":
		r.path, r.hasPath = value, true
	case "DOCUMENT_URI":
		r.document, r.hasDocument = value, true
		r.others = append(r.others, variable{name, value})
	case "REMOTE_ADDR":
		r.remoteAddr = value
	case "REMOTE_PORT":
		r.remotePort = value
	case "SERVER_NAME":
		r.serverName = value
	case "SERVER_PORT":
		r.serverPort = value
	case "HTTPS":
		r.httpsIs, r.https = len(value) > 0, isOn(value)
	case "REQUEST_SCHEME":
		r.scheme = scheme(value, r.scheme)
		r.others = append(r.others, variable{name, value})
	case "UWSGI_SCHEME":
		r.scheme = scheme(value, r.scheme)
	case "CONTENT_TYPE":
		if app.HasControl(view(value)) {
			return badField
		}
		r.addContent(contentType, value)
	case "CONTENT_LENGTH":
		return r.addLength(value)
	case "SERVER_SOFTWARE", "GATEWAY_INTERFACE", "RAW_URI": // weir's own
	case "REMOTE_USER", "AUTH_TYPE", "REMOTE_IDENT":
		if len(value) > 0 { // RFC 3875 4.1: without authentication there is none, which is how nginx says it
			r.others = append(r.others, variable{name, value})
		}
	default:
		// Names with a dot are WSGI's and weir's own. UWSGI_ ones tell uWSGI what to load and run.
		if isToken(view(name)) && bytes.IndexByte(name, '.') < 0 && !bytes.HasPrefix(name, uwsgiPrefix) {
			r.others = append(r.others, variable{name, value})
		}
	}
	return nil
}

var (
	httpPrefix    = []byte("HTTP_")
	uwsgiPrefix   = []byte("UWSGI_")
	contentType   = []byte("Content-Type")
	contentLength = []byte("Content-Length")
	badField      = &refusal{400, "a field of the request has a control character"}
)

// addField takes note of a field of the client's request; name is without HTTP_.
func (r *request) addField(name, value []byte, limits *httpparse.Limits) *refusal {
	for i, octet := range name {
		switch {
		case octet == '_':
			name[i] = '-'
		case !isTokenOctet(octet):
			return &refusal{400, "the name of a field is not a token"}
		}
	}
	switch string(name) {
	case "CONTENT-TYPE", "CONTENT-LENGTH", "": // of the content there are variables without HTTP_
		return nil
	case "TRANSFER-ENCODING": // no longer true of the content
		return nil
	case "HOST": // not a list: an administrator has overridden it
		for i := range r.fields {
			if string(r.fields[i].name) == "HOST" {
				r.fields[i].value = value
				return nil
			}
		}
	}
	switch {
	case len(name)+len(value) > limits.FieldLine:
		return &refusal{431, "a field of the request is too long"}
	case len(r.fields) >= limits.Fields:
		return &refusal{431, "the request has too many fields"}
	case app.HasControl(view(value)):
		return badField
	}
	r.fields = append(r.fields, variable{name, value})
	return nil
}

// addContent takes note of a field that describes the content; an empty value is none.
func (r *request) addContent(name, value []byte) {
	for i := range r.fields {
		if &r.fields[i].name[0] == &name[0] {
			r.fields[i].value = value
			return
		}
	}
	if len(value) > 0 {
		r.fields = append(r.fields, variable{name, value})
	}
}

// addLength takes note of CONTENT_LENGTH. Two that differ are refused: who is in front might have gone by the other.
func (r *request) addLength(value []byte) *refusal {
	length := int64(-1)
	if len(value) > 0 {
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || value[0] == '+' {
			return &refusal{400, "CONTENT_LENGTH is not a number of octets"}
		}
		length = int64(n)
	}
	if r.lengths && length != r.length {
		return &refusal{400, "there are two CONTENT_LENGTHs"}
	}
	r.lengths, r.length = true, length
	r.addContent(contentLength, value)
	return nil
}

// finish puts together what the variables leave open.
func (r *request) finish(c codec, limits *httpparse.Limits) *refusal {
	switch {
	case r.method == "":
		return &refusal{400, "there is no REQUEST_METHOD"}
	case !isToken(r.method):
		return &refusal{400, "REQUEST_METHOD is not a token"}
	case len(r.uri) > limits.RequestLine:
		return &refusal{414, "the request target is too long"}
	case app.HasControl(view(r.uri)) || app.HasControl(view(r.query)):
		return &refusal{400, "the request target has a control character"}
	case !c.begin(r.length):
		return &refusal{400, "there is no CONTENT_LENGTH"}
	}
	if r.httpsIs {
		r.scheme = "http"
		if r.https {
			r.scheme = "https"
		}
	}
	u, ok := c.(*uwsgi)
	r.split(ok && u.mountsAt())
	if len(r.uri) == 0 {
		r.composed = appendPercentEncoded(appendPercentEncoded(r.composed, r.script), r.path)
		if len(r.query) > 0 {
			r.composed = append(append(r.composed, '?'), r.query...)
		}
		r.uri = r.composed
	} else if !r.hasQuery {
		_, r.query, _ = bytes.Cut(r.uri, question)
	}
	return nil
}

// split decides what SCRIPT_NAME and PATH_INFO are.
//
// A web server that leaves PATH_INFO out has told the whole path all the same. That of nginx's fastcgi_params stands in SCRIPT_NAME, as
// if each path were a program, which is so for PHP and for no application here: what has no path behind it is not a mount.
func (r *request) split(mounted bool) {
	whole := r.document
	switch {
	case r.hasDocument:
	case len(r.uri) > 0:
		whole = app.AppendPercentDecoded(nil, rawPath(r.uri))
	default:
		whole = r.script
	}
	switch {
	case !r.hasPath && bytes.Equal(whole, r.script):
		r.script, r.path = nil, whole
	case !r.hasPath || mounted:
		if r.hasPath {
			whole = r.path
		}
		r.script = bytes.TrimSuffix(r.script, slash)
		if r.path = withoutPrefix(whole, r.script); len(r.path) == len(whole) {
			r.script = nil
		}
	case r.hasDocument && len(r.path) > 0 && bytes.Equal(r.path, r.script) && bytes.Equal(r.path, r.document):
		r.script = nil // nginx's fastcgi_params, and a line that adds PATH_INFO
	}
	if string(r.script) == "/" { // a mount at the root has no name (PEP 3333)
		r.script = nil
		if len(r.path) == 0 || r.path[0] != '/' {
			r.path = append([]byte{'/'}, r.path...)
		}
	}
	if len(r.script) == 0 && len(r.path) == 0 {
		r.path = slash
	}
}

// withoutPrefix is path behind prefix, where that ends at a segment; else path.
func withoutPrefix(path, prefix []byte) []byte {
	rest, ok := bytes.CutPrefix(path, prefix)
	if !ok || len(rest) > 0 && rest[0] != '/' {
		return path
	}
	return rest
}

var slash, question = []byte("/"), []byte("?")

// rawPath is the path of a request target, percent-encoded.
func rawPath(target []byte) []byte {
	path, _, _ := bytes.Cut(target, question)
	if len(path) > 0 && path[0] == '/' {
		return path
	}
	if _, rest, ok := bytes.Cut(path, []byte("://")); ok {
		if i := bytes.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return slash
	}
	return path
}

func isOn(value []byte) bool {
	return strings.EqualFold(view(value), "on") || strings.EqualFold(view(value), "true") || string(value) == "1"
}

// scheme is what value says, fallback when it says nothing that is known.
func scheme(value []byte, fallback string) string {
	switch {
	case strings.EqualFold(view(value), "https"):
		return "https"
	case strings.EqualFold(view(value), "http"):
		return "http"
	}
	return fallback
}

// method is a method as a string. The usual ones need no copy.
func method(value []byte) string {
	for _, usual := range [...]string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		if string(value) == usual {
			return usual
		}
	}
	return string(value)
}

// protocol is the version that the client sent; one that is none counts as the oldest.
func protocol(value []byte) string {
	for _, usual := range [...]string{"HTTP/1.1", "HTTP/2.0", "HTTP/1.0", "HTTP/3.0"} {
		if string(value) == usual {
			return usual
		}
	}
	if bytes.HasPrefix(value, []byte("HTTP/")) && !app.HasControl(view(value)) {
		return string(value)
	}
	return "HTTP/1.0"
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenOctet(s[i]) {
			return false
		}
	}
	return true
}

// isTokenOctet tells whether c is a tchar (RFC 9110 5.6.2).
func isTokenOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// appendPercentEncoded appends a path with all octets encoded that may not stand in one (RFC 3986 3.3).
func appendPercentEncoded(dst, path []byte) []byte {
	for _, c := range path {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

const hexDigits = "0123456789ABCDEF"

// view is b as a string, for comparisons only: it must not outlive the statement that it is made in.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
