package static

import (
	"bytes"
	"time"

	"github.com/weirhttp/weir/app"
)

// conditions are the fields of a request that decide how it is answered. Those that are not there are nil.
type conditions struct {
	ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince []byte
	ranges, ifRange                                          []byte
	acceptEncoding                                           []byte
}

// readConditions reads them from an environ. They are views.
func readConditions(environ *app.Environ) (c conditions) {
	c.ifMatch, _ = environ.Header("If-Match")
	c.ifNoneMatch, _ = environ.Header("If-None-Match")
	c.ifModifiedSince, _ = environ.Header("If-Modified-Since")
	c.ifUnmodifiedSince, _ = environ.Header("If-Unmodified-Since")
	c.ranges, _ = environ.Header("Range")
	c.ifRange, _ = environ.Header("If-Range")
	c.acceptEncoding, _ = environ.Header("Accept-Encoding")
	return c
}

// clone is a copy that outlives the request. It costs nothing where there are no conditions.
func (c conditions) clone() conditions {
	for _, field := range []*[]byte{&c.ifMatch, &c.ifNoneMatch, &c.ifModifiedSince, &c.ifUnmodifiedSince, &c.ranges, &c.ifRange} {
		*field = bytes.Clone(*field)
	}
	c.acceptEncoding = nil // not needed later
	return c
}

// verdict is what conditions make of a request.
type verdict uint8

const (
	proceed verdict = iota
	notModified
	preconditionFailed
)

// evaluate goes by the steps of RFC 9110 13.2.2. The method is GET or HEAD.
func (c *conditions) evaluate(v *validators) verdict {
	switch {
	case c.ifMatch != nil:
		if !matches(c.ifMatch, v.etag, false) {
			return preconditionFailed
		}
	case c.ifUnmodifiedSince != nil && v.lastModified != "":
		if since, ok := parseDate(string(c.ifUnmodifiedSince)); ok && v.modified.After(since) {
			return preconditionFailed
		}
	}
	switch {
	case c.ifNoneMatch != nil:
		if matches(c.ifNoneMatch, v.etag, true) {
			return notModified
		}
	case c.ifModifiedSince != nil && v.lastModified != "":
		if since, ok := parseDate(string(c.ifModifiedSince)); ok && !v.modified.After(since) {
			return notModified
		}
	}
	return proceed
}

// rangeHolds tells whether If-Range lets Range count (RFC 9110 13.1.5). A date does only when nothing can have changed in its second
// any more (8.8.2.2).
func (c *conditions) rangeHolds(v *validators, now time.Time) bool {
	if c.ifRange == nil {
		return true
	}
	if bytes.IndexByte(c.ifRange, '"') >= 0 {
		return v.etag != "" && string(bytes.Trim(c.ifRange, " \t")) == v.etag && v.etag[0] == '"'
	}
	since, ok := parseDate(string(c.ifRange))
	return ok && v.lastModified != "" && since.Equal(v.modified) && now.Sub(v.modified) >= 2*time.Second
}

// matches tells whether a list of entity tags has that one (RFC 9110 8.8.3.2), or is "*". What is malformed matches nothing from there on.
//
//	If-Match   = "*" / #entity-tag
//	entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE
func matches(list []byte, etag string, weakly bool) bool {
	list = bytes.Trim(list, " \t")
	if string(list) == "*" {
		return true
	}
	if etag == "" {
		return false
	}
	opaque, isWeak := cutWeak([]byte(etag))
	for {
		list = bytes.TrimLeft(list, " \t,")
		tag, weak := cutWeak(list)
		if len(tag) < 2 || tag[0] != '"' {
			return false
		}
		end := bytes.IndexByte(tag[1:], '"') + 2
		if end < 2 {
			return false
		}
		if bytes.Equal(tag[:end], opaque) && (weakly || !weak && !isWeak) {
			return true
		}
		list = bytes.TrimLeft(tag[end:], " \t")
		if len(list) > 0 && list[0] != ',' {
			return false
		}
	}
}

func cutWeak(tag []byte) (opaque []byte, weak bool) { return bytes.CutPrefix(tag, []byte("W/")) }

// formatDate is a time as an IMF-fixdate (RFC 9110 5.6.7).
func formatDate(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 GMT") }

// parseDate reads the three formats of RFC 9110 5.6.7.
func parseDate(s string) (time.Time, bool) {
	if t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", s); err == nil {
		return t, true
	}
	if t, err := time.Parse("Monday, 02-Jan-06 15:04:05 GMT", s); err == nil {
		// The year is of this century, unless it seems to be more than 50 years ahead then.
		now := time.Now()
		t = t.AddDate(now.Year()/100*100-t.Year()/100*100, 0, 0)
		if t.After(now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0)
		}
		return t, true
	}
	t, err := time.Parse(time.ANSIC, s)
	return t, err == nil
}
