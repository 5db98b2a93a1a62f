// Package mount serves several applications at once, by the host and the path that requests are for.
package mount

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weirhttp/weir/app"
)

// Point is where an application is mounted.
type Point struct {
	// Host is the host without a port, "example.com", or "*.example.com" for all its subdomains; "": any that no other point names.
	Host string
	// Prefix is how paths begin, without percent-encoding: "/shop" for /shop and all below it, but not /shopping. "" or "/": all.
	Prefix string
	// Application finds the prefix at the end of SCRIPT_NAME, and what follows it in PATH_INFO, as PEP 3333 says.
	Application app.Application
}

// New returns an application that has the one answer that is mounted at a request's host and path: of the hosts the one that is named outright, else the longest
// subdomain, else any; of those prefixes the longest. There, a path that has none of the prefixes is answered with 404; a host for which there is no
// point, with 421 (Misdirected Request).
//
// Prefixes are compared with PATH_INFO, which is decoded: /%73hop is /shop, and /shop%2Fcart is below it. Slashes are not
// merged: //shop is another path. An error names the point that is wrong.
func New(points ...Point) (app.Application, error) {
	t := &table{hosts: make(map[string][]Point)}
	for _, p := range points {
		if err := t.add(p); err != nil {
			return nil, err
		}
	}
	for _, of := range t.hosts {
		slices.SortFunc(of, func(a, b Point) int { return cmp.Compare(len(b.Prefix), len(a.Prefix)) })
	}
	return t.answer, nil
}

// table is all points: of each host, those with the longest prefixes first. The host of a wildcard begins with a dot.
type table struct{ hosts map[string][]Point }

func (t *table) add(p Point) error {
	host := strings.TrimSuffix(strings.ToLower(p.Host), ".")
	if inner, ok := strings.CutPrefix(host, "*"); ok {
		host = inner
		if len(host) < 2 || host[0] != '.' {
			return fmt.Errorf(`mount: Point.Host must be such as example.com or *.example.com, not %q`, p.Host)
		}
	} else if strings.HasPrefix(host, ".") {
		return fmt.Errorf(`mount: Point.Host must be such as example.com or *.example.com, not %q`, p.Host)
	}
	if strings.ContainsAny(host, "*/ ") || hostname(host) != host {
		return fmt.Errorf("mount: Point.Host must be a host without a port, not %q", p.Host)
	}
	p.Prefix = strings.TrimSuffix(p.Prefix, "/")
	switch {
	case p.Prefix != "" && p.Prefix[0] != '/':
		return fmt.Errorf("mount: Point.Prefix must begin with /, not %q", p.Prefix)
	case p.Application == nil:
		return fmt.Errorf("mount: Point.Application is missing at %q", host+p.Prefix+"/")
	case slices.ContainsFunc(t.hosts[host], func(other Point) bool { return other.Prefix == p.Prefix }):
		return fmt.Errorf("mount: two points at %q", host+p.Prefix+"/")
	}
	t.hosts[host] = append(t.hosts[host], p)
	return nil
}

// hostname is a Host field without the port: an IPv6 address stands in brackets.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return host
}

// points are those of a host.
func (t *table) points(host string) []Point {
	host = strings.TrimSuffix(hostname(strings.ToLower(host)), ".")
	if of, ok := t.hosts[host]; ok && host != "" && host[0] != '.' {
		return of
	}
	for rest := host; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return t.hosts[""]
		}
		if of, ok := t.hosts[rest[i:]]; ok && (i > 0 || len(rest) < len(host)) {
			return of
		}
		rest = rest[i+1:]
	}
}

func (t *table) answer(environ *app.Environ, start app.StartResponse) app.Body {
	host, _ := environ.Header("Host")
	points := t.points(string(host))
	if points == nil {
		return refuse(start, "421 Misdirected Request")
	}
	path := environ.Path()
	for i := range points {
		prefix := points[i].Prefix
		if len(path) < len(prefix) || string(path[:len(prefix)]) != prefix || len(path) > len(prefix) && path[len(prefix)] != '/' {
			continue
		}
		if prefix != "" {
			rest := string(path[len(prefix):])
			environ.Set("SCRIPT_NAME", environ.Get("SCRIPT_NAME")+prefix)
			environ.Set("PATH_INFO", rest)
		}
		return points[i].Application(environ, start)
	}
	return refuse(start, "404 Not Found")
}

func refuse(start app.StartResponse, status string) app.Body {
	start(status, []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}})
	return app.String(status[4:] + "\n")
}
