// Package cors is middleware that lets pages of other origins use an application (the CORS protocol of the Fetch standard).
package cors

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// Options say who may do what.
type Options struct {
	// Origins are those that may: "https://example.com", "https://*.example.com" for all subdomains, "null", or "*" alone for any.
	Origins []string
	// Methods are those that a preflight allows. Default: GET, HEAD, POST, PUT, PATCH, DELETE.
	Methods []string
	// Headers are the fields of a request that a preflight allows, beside those that need none; "*" alone for any.
	Headers []string
	// Expose are the fields of a response that pages may read, beside those that they always may; "*" alone for any.
	Expose []string
	// Credentials lets pages send cookies, and see the answers. It cannot go with "*".
	Credentials bool
	// MaxAge is how long a browser may keep the answer to a preflight. Default: what the browser has, 5 seconds mostly; negative: not at all.
	MaxAge time.Duration
}

// policy is Options, as they are needed.
type policy struct {
	any                              bool
	origins                          []string    // in lower case
	subdomains                       [][2]string // what is in front of "*", and behind
	methodNames                      []string
	anyHeader                        bool
	headerNames                      []string
	methods, headers, expose, maxAge string // values of fields, "" for none
	credentials                      bool
}

// New returns application with that policy. An error names the field of the options that is wrong.
//
// A preflight is answered here, with 204, and does not reach the application. Other requests do, whatever their origin: it is the browser that
// keeps the answer from a page. Where the answer depends on the origin, Vary says so; with "*" all answers are alike. What the application says about
// CORS itself stays.
func New(application app.Application, options Options) (app.Application, error) {
	p, err := newPolicy(options)
	if err != nil {
		return nil, err
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		origin, _ := environ.Header("Origin")
		if method, ok := environ.Header("Access-Control-Request-Method"); ok && len(origin) > 0 && environ.Method() == http.MethodOptions {
			requested, _ := environ.Header("Access-Control-Request-Headers")
			start("204 No Content", p.preflight(string(origin), string(method), string(requested)))
			return nil
		}
		from := string(origin)
		return application(environ, app.FilterHead(environ, start, func(h *app.Head) { p.allow(h, from) }))
	}, nil
}

func newPolicy(o Options) (*policy, error) {
	if len(o.Origins) == 0 {
		return nil, errors.New(`cors: Options.Origins names none: list them, or "*" for any`)
	}
	p := &policy{credentials: o.Credentials, methodNames: o.Methods}
	for _, origin := range o.Origins {
		low := strings.ToLower(origin)
		scheme, host, _ := strings.Cut(low, "://")
		if scheme == "http" || scheme == "https" { // browsers leave the usual port out
			host = strings.TrimSuffix(host, ":"+strconv.Itoa(app.UsualPort(scheme)))
			low = scheme + "://" + host
		}
		switch {
		case low == "*":
			p.any = true
		case low == "null":
			p.origins = append(p.origins, low)
		case scheme == "" || !isHost(strings.TrimPrefix(host, "*.")):
			return nil, fmt.Errorf(`cors: Options.Origins must be such as https://example.com, https://*.example.com, null or *, not %q`, origin)
		case strings.HasPrefix(host, "*."):
			p.subdomains = append(p.subdomains, [2]string{scheme + "://", host[1:]})
		default:
			p.origins = append(p.origins, low)
		}
	}
	for field, list := range map[string][]string{"Origins": o.Origins, "Headers": o.Headers, "Expose": o.Expose} {
		wild := slices.Contains(list, "*")
		if wild && len(list) > 1 {
			return nil, fmt.Errorf(`cors: Options.%s has "*", which stands for all, and others`, field)
		}
		if wild && o.Credentials {
			return nil, fmt.Errorf(`cors: Options.%s cannot be "*" with Credentials: list them`, field)
		}
	}
	if p.methodNames == nil {
		p.methodNames = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	for field, list := range map[string][]string{"Methods": p.methodNames, "Headers": o.Headers, "Expose": o.Expose} {
		for _, token := range list {
			if wrong := app.CheckHeader(app.Header{Name: token}); wrong != "" && !app.HopByHop(token) {
				return nil, fmt.Errorf("cors: Options.%s must be tokens, not %q", field, token)
			}
		}
	}
	for _, name := range o.Headers {
		p.headerNames = append(p.headerNames, strings.ToLower(name))
	}
	p.anyHeader = slices.Contains(o.Headers, "*")
	p.methods, p.headers, p.expose = strings.Join(p.methodNames, ", "), strings.Join(o.Headers, ", "), strings.Join(o.Expose, ", ")
	if seconds := int64(o.MaxAge / time.Second); o.MaxAge < 0 {
		p.maxAge = "0"
	} else if o.MaxAge > 0 {
		p.maxAge = strconv.FormatInt(seconds, 10)
	}
	return p, nil
}

// isHost tells whether s is a host, with a port maybe.
func isHost(s string) bool {
	u, err := url.Parse("x://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && !strings.Contains(s, "*")
}

// allows tells whether an origin may.
func (p *policy) allows(origin string) bool {
	if origin == "" || p.any {
		return p.any
	}
	low := strings.ToLower(origin)
	return slices.Contains(p.origins, low) || slices.ContainsFunc(p.subdomains, func(s [2]string) bool {
		inner, ok := strings.CutPrefix(low, s[0])
		inner, is := strings.CutSuffix(inner, s[1])
		return ok && is && inner != "" && strings.Trim(inner, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && inner[0] != '.'
	})
}

// allow adds to the head of an answer what concerns requests from origin, "" for none. What anybody may have says so to all, since it does not vary: a cache
// gives a page what it has from a request without an origin.
func (p *policy) allow(h *app.Head, origin string) {
	if !p.any {
		h.Vary("Origin")
	}
	if !p.allows(origin) {
		return
	}
	if p.any {
		origin = "*"
	}
	h.SetDefault("Access-Control-Allow-Origin", origin)
	if p.credentials {
		h.SetDefault("Access-Control-Allow-Credentials", "true")
	}
	if p.expose != "" {
		h.SetDefault("Access-Control-Expose-Headers", p.expose)
	}
}

// preflight is the head of the answer to a preflight. What is not allowed is not mentioned, and the browser refuses it.
func (p *policy) preflight(origin, method, requested string) []app.Header {
	h := &app.Head{Headers: []app.Header{{Name: "Vary", Value: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}}}
	if !p.allows(origin) || !slices.Contains(p.methodNames, method) || !p.allowsHeaders(requested) {
		return h.Headers
	}
	p.allow(h, origin)
	h.Delete("Access-Control-Expose-Headers")
	h.Add("Access-Control-Allow-Methods", p.methods)
	if p.headers != "" {
		h.Add("Access-Control-Allow-Headers", p.headers)
	}
	if p.maxAge != "" {
		h.Add("Access-Control-Max-Age", p.maxAge)
	}
	return h.Headers
}

// allowsHeaders tells whether all members of Access-Control-Request-Headers are allowed.
func (p *policy) allowsHeaders(requested string) bool {
	for name := range strings.SplitSeq(requested, ",") {
		name = strings.ToLower(strings.Trim(name, " \t"))
		if name != "" && !p.anyHeader && !slices.Contains(p.headerNames, name) && !slices.Contains(safelisted, name) {
			return false
		}
	}
	return true
}

// safelisted are the fields that a browser may ask for, though it need not.
var safelisted = []string{"accept", "accept-language", "content-language"}
