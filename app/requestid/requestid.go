// Package requestid is middleware that gives each request a name, which logs on both sides have in common.
package requestid

import (
	"math/rand/v2"
	"strings"

	"github.com/weirhttp/weir/app"
)

// Key is the environ key of the name.
const Key = "weir.request_id"

// Options say where a name comes from. The zero value is a good choice behind a proxy.
type Options struct {
	// Always has every request get a new name. Else that of the client, or of a proxy, is kept when it has one.
	Always bool
}

// longest is how many octets a name may have that the client brings.
const longest = 128

// New returns application with a name for each request: X-Request-ID of the request when it is 1 to 128 octets of letters, digits and
// "-_.:+/=@", else the trace-id of a traceparent (W3C Trace Context), else a new one of 32 hexadecimal digits. The application finds it under Key
// and as HTTP_X_REQUEST_ID, the client as X-Request-ID of the response, unless the application has sent one of its own.
//
// A valid traceparent is passed on to the application, and back in the response. One that is not is removed, and tracestate with it.
func New(application app.Application, options Options) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		trace := takeTrace(environ)
		id, _ := environ.Header("X-Request-ID")
		name := string(id)
		if options.Always || !valid(name) {
			name = traceID(trace)
			if options.Always || name == "" {
				name = newID()
			}
			environ.Set("HTTP_X_REQUEST_ID", name)
		}
		environ.Set(Key, name)
		return application(environ, app.FilterHead(environ, start, func(h *app.Head) {
			h.SetDefault("X-Request-ID", name)
			if trace != "" {
				h.SetDefault("Traceparent", trace)
			}
		}))
	}
}

// Of returns the name of a request, "" without New around the application.
func Of(environ *app.Environ) string { return environ.Get(Key) }

func valid(name string) bool {
	if name == "" || len(name) > longest {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("-_.:+/=@", c) < 0 {
			return false
		}
	}
	return true
}

// newID returns 128 random bits in hexadecimal.
func newID() string {
	const digits = "0123456789abcdef"
	var id [32]byte
	for i := 0; i < len(id); i += 16 {
		bits := rand.Uint64()
		for j := range 16 {
			id[i+j] = digits[bits>>(4*j)&15]
		}
	}
	return string(id[:])
}

// takeTrace returns the traceparent of a request, and removes one that is malformed: who cannot read it starts a trace of their own, and
// tracestate goes with it (Trace Context 3.2.2.3, 3.3).
func takeTrace(environ *app.Environ) string {
	value, ok := environ.Header("Traceparent")
	if !ok {
		return ""
	}
	trace := string(value)
	if traceID(trace) == "" {
		environ.Delete("HTTP_TRACEPARENT")
		environ.Delete("HTTP_TRACESTATE")
		return ""
	}
	return trace
}

// traceID returns the trace-id of a traceparent, "" when it is malformed:
//
//	version-format = trace-id "-" parent-id "-" trace-flags
func traceID(trace string) string {
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-00")
	if len(trace) < length || len(trace) > longest || trace[2] != '-' || trace[35] != '-' || trace[52] != '-' {
		return ""
	}
	version, id, parent, flags := trace[:2], trace[3:35], trace[36:52], trace[53:length]
	if !isHex(version) || !isHex(id) || !isHex(parent) || !isHex(flags) || version == "ff" || zero(id) || zero(parent) {
		return ""
	}
	if rest := trace[length:]; rest != "" && (version == "00" || rest[0] != '-') { // of a version to come
		return ""
	}
	return id
}

// isHex tells whether s is of HEXDIGLC.
func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
func zero(s string) bool  { return strings.Trim(s, "0") == "" }
