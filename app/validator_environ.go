package app

import (
	"io"
	"strconv"
	"strings"
)

// validateEnviron checks what PEP 3333, "environ Variables", asks of the server.
func validateEnviron(e *Environ) {
	for _, key := range [...]string{"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} {
		if _, ok := e.Value(key); ok {
			breach(ServerSide, "content fields have no HTTP_ key", key)
		}
	}
	for key, v := range e.All() {
		if _, ok := v.(string); !ok && !strings.Contains(key, ".") {
			breach(ServerSide, "a CGI variable is a string", key)
		}
	}
	for _, key := range [...]string{"REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"} {
		if e.Get(key) == "" {
			breach(ServerSide, key+" is not empty")
		}
	}
	validatePaths(e.Get("SCRIPT_NAME"), e.Get("PATH_INFO"))
	if s := e.Get("CONTENT_LENGTH"); s != "" && strings.Trim(s, "0123456789") != "" {
		breach(ServerSide, "CONTENT_LENGTH is a decimal number", strconv.Quote(s))
	}
	validateGateway(e)
}

func validatePaths(script, path string) {
	switch {
	case script == "/":
		breach(ServerSide, "SCRIPT_NAME is not /")
	case script != "" && script[0] != '/':
		breach(ServerSide, "SCRIPT_NAME is empty or begins with /", strconv.Quote(script))
	case path != "" && path[0] != '/':
		breach(ServerSide, "PATH_INFO is empty or begins with /", strconv.Quote(path))
	case script == "" && path == "":
		breach(ServerSide, "one of SCRIPT_NAME and PATH_INFO is not empty")
	}
}

// validateGateway checks the wsgi keys.
func validateGateway(e *Environ) {
	if v, _ := e.Value("wsgi.version"); v != (Version{1, 0}) {
		breach(ServerSide, "wsgi.version is (1, 0)", v)
	}
	if s := e.Get("wsgi.url_scheme"); s != "http" && s != "https" {
		breach(ServerSide, "wsgi.url_scheme is http or https", strconv.Quote(s))
	}
	for _, key := range [...]string{"wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"} {
		v, _ := e.Value(key)
		if _, ok := v.(bool); !ok {
			breach(ServerSide, key+" is a bool")
		}
	}
	v, _ := e.Value("wsgi.input")
	if in, ok := v.(Input); !ok || in == nil {
		breach(ServerSide, "wsgi.input is an Input")
	}
	v, _ = e.Value("wsgi.errors")
	if w, ok := v.(io.Writer); !ok || w == nil {
		breach(ServerSide, "wsgi.errors is an io.Writer")
	}
}
