// Package security is middleware that has browsers protect the users of an application: the header fields that scanners and guides ask for.
package security

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// Leave, as the value of an option, leaves the field out.
const Leave = "-"

// Options are the values of the fields.
type Options struct {
	// HSTS is how long browsers are to use https for this host (Strict-Transport-Security), from a second on; 0: the field is not sent. It goes
	// with https only.
	HSTS time.Duration
	// Subdomains has the host's subdomains included, Preload allows that the host is put into the lists of browsers: for which there must be
	// Subdomains, and a year.
	Subdomains, Preload bool
	// Frame is X-Frame-Options: DENY or SAMEORIGIN. Default: SAMEORIGIN.
	Frame string
	// Referrer is Referrer-Policy. Default: strict-origin-when-cross-origin.
	Referrer string
	// Opener is Cross-Origin-Opener-Policy. Default: same-origin.
	Opener string
	// Content is Content-Security-Policy; "": none is sent. ReportOnly sends it as Content-Security-Policy-Report-Only.
	Content    string
	ReportOnly bool
	// Permissions is Permissions-Policy; "": none is sent.
	Permissions string
}

// New returns application with these fields in every response, and "X-Content-Type-Options: nosniff"; a field that the application sends itself
// stays. An error names the option that is wrong.
func New(application app.Application, options Options) (app.Application, error) {
	plain, secure, err := options.fields()
	if err != nil {
		return nil, err
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		fields := plain
		if environ.Get("wsgi.url_scheme") == "https" { // RFC 6797 7.2: not without
			fields = secure
		}
		return application(environ, app.FilterHead(environ, start, func(h *app.Head) {
			for _, f := range fields {
				h.SetDefault(f.Name, f.Value)
			}
		}))
	}, nil
}

// fields returns the fields for http and for https.
func (o Options) fields() (plain, secure []app.Header, err error) {
	content := "Content-Security-Policy"
	if o.ReportOnly {
		content += "-Report-Only"
	}
	for _, f := range []struct{ option, name, value, usual string }{
		{"", "X-Content-Type-Options", "", "nosniff"},
		{"Frame", "X-Frame-Options", o.Frame, "SAMEORIGIN"},
		{"Referrer", "Referrer-Policy", o.Referrer, "strict-origin-when-cross-origin"},
		{"Opener", "Cross-Origin-Opener-Policy", o.Opener, "same-origin"},
		{"Content", content, o.Content, Leave},
		{"Permissions", "Permissions-Policy", o.Permissions, Leave},
	} {
		if f.value == "" {
			f.value = f.usual
		}
		if app.HasControl(f.value) {
			return nil, nil, fmt.Errorf("security: Options.%s has a control character", f.option)
		}
		if f.value != Leave {
			plain = append(plain, app.Header{Name: f.name, Value: f.value})
		}
	}
	if frame := strings.ToUpper(o.Frame); frame != "" && frame != "DENY" && frame != "SAMEORIGIN" && frame != Leave {
		return nil, nil, fmt.Errorf("security: Options.Frame must be DENY, SAMEORIGIN or %q, not %q", Leave, o.Frame)
	}
	hsts, err := o.hsts()
	if err != nil || hsts == "" {
		return plain, plain, err
	}
	return plain, append(plain[:len(plain):len(plain)], app.Header{Name: "Strict-Transport-Security", Value: hsts}), nil
}

// hsts is the value of Strict-Transport-Security, "" for none.
func (o Options) hsts() (string, error) {
	const year = 365 * 24 * time.Hour
	switch {
	case o.HSTS == 0 && (o.Subdomains || o.Preload):
		return "", errors.New("security: Options.Subdomains and Preload go with HSTS")
	case o.HSTS == 0:
		return "", nil
	case o.HSTS < time.Second:
		return "", errors.New("security: Options.HSTS must be a second or more")
	case o.Preload && (!o.Subdomains || o.HSTS < year):
		return "", errors.New("security: Options.Preload goes with Subdomains and an HSTS of a year or more")
	}
	value := "max-age=" + strconv.FormatInt(int64(o.HSTS/time.Second), 10)
	if o.Subdomains {
		value += "; includeSubDomains"
	}
	if o.Preload {
		value += "; preload"
	}
	return value, nil
}
