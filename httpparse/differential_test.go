package httpparse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strictness lists the kinds for which http.ReadRequest may accept what we
// refuse, and why. http.Server refuses some of these later.
var strictness = map[Kind]string{
	RequestLineTooLong:       "ReadRequest has no limits",
	MethodTooLong:            "ReadRequest has no limits",
	FieldTooLarge:            "ReadRequest has no limits",
	FieldSectionTooLarge:     "ReadRequest has no limits",
	TooManyFields:            "ReadRequest has no limits",
	VersionNotSupported:      "http.Server answers this, ReadRequest reads it",
	BadTarget:                "net/url takes a fragment, obs-text and spaces, and any form with any method",
	BareLF:                   "bufio.Reader.ReadLine takes a bare LF as a line end",
	ObsoleteFolding:          "net/textproto joins folded lines",
	SpaceBeforeColon:         "http.Server refuses spaces in names, ReadRequest reads them",
	BadFieldName:             "http.Server refuses spaces in names, ReadRequest reads them",
	MissingHost:              "http.Server refuses this, ReadRequest reads it",
	BadHost:                  "http.Server refuses some of these",
	TransferEncodingInHTTP10: "net/http ignores the field",
	ConflictingFraming:       "net/http lets Transfer-Encoding win",
	RepeatedContentLength:    "net/http takes repeated fields that are equal",
}

// leniency lists the errors of http.ReadRequest for requests that we accept.
var leniency = []struct {
	message *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`invalid URL escape`), "net/url takes no pct-encoded ASCII in a host (RFC 3986 does)"},
	{regexp.MustCompile(`parse "(\w+://)?\[v`), "net/url knows no IPvFuture"},
	{regexp.MustCompile(`bad trailer key`), "net/http reads the Trailer field, we leave it to the server"},
}

// compareHead fails when http.ReadRequest understands input differently, except
// in the ways listed above.
func compareHead(t *testing.T, input []byte, limits Limits) {
	var r Request
	n, err := r.Parse(input, &limits)
	start := 0
	if err == nil {
		// net/http refuses empty lines before the request line.
		start = int(r.Method.Start)
	}
	source := bytes.NewReader(input[start:])
	reader := bufio.NewReader(source)
	request, theirs := http.ReadRequest(reader)
	if err != nil {
		var refused *Error
		if theirs == nil && (!errors.As(err, &refused) || strictness[refused.Kind] == "") {
			t.Fatalf("%q: we say %v, net/http accepts", input, err)
		}
		return
	}
	if theirs != nil {
		for _, known := range leniency {
			if known.message.MatchString(theirs.Error()) {
				return
			}
		}
		t.Fatalf("%q: we accept, net/http says %v", input, theirs)
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %s is %v, net/http says %v", input, what, got, want)
		}
	}
	equal("head", n, len(input)-source.Len()-reader.Buffered())
	equal("method", string(r.Method.Of(input)), request.Method)
	equal("target", string(r.Target.Of(input)), request.RequestURI)
	equal("minor version", int(r.ClientMinor), request.ProtoMinor)
	equal("persistence", r.KeepAlive, !request.Close)
	equal("chunked", r.Chunked, slices.Equal(request.TransferEncoding, []string{"chunked"}))
	switch {
	case r.Chunked:
		equal("length", int64(-1), request.ContentLength)
	default:
		// Without a length, net/http says 0 of a request.
		equal("length", max(r.ContentLength, 0), request.ContentLength)
	}
	switch {
	case r.Form == OriginForm:
		equal("host", string(r.Host.Of(input)), request.Host)
		equal("path", string(r.Path.Of(input)), rawPath(request))
		fallthrough
	case r.Form == AbsoluteForm:
		equal("query", string(r.Query.Of(input)), request.URL.RawQuery)
	}

	fields := make(http.Header)
	for _, f := range r.Fields {
		name := textproto.CanonicalMIMEHeaderKey(string(f.Name.Of(input)))
		fields[name] = append(fields[name], string(f.Value.Of(input)))
	}
	theirFields := maps.Clone(request.Header)
	// net/http takes these out of the header, and makes Cache-Control of Pragma.
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer"} {
		delete(fields, name)
	}
	if v := fields["Pragma"]; len(v) > 0 && v[0] == "no-cache" && fields["Cache-Control"] == nil {
		delete(theirFields, "Cache-Control")
	}
	delete(theirFields, "Trailer")
	equal("header", fields, theirFields)
}

func rawPath(request *http.Request) string {
	path, _, _ := strings.Cut(request.RequestURI, "?")
	return path
}

// bodyLeniency lists the errors of net/http's decoder for bodies that we accept,
// each with what such a body holds.
var bodyLeniency = []struct {
	message string
	input   *regexp.Regexp
	why     string
}{
	{"invalid byte in chunk length", regexp.MustCompile(`[0-9A-Fa-f][\t ]+;`), "it takes no BWS before an extension"},
	{"header line too long", regexp.MustCompile(`;[^\n]{1000}`), "it has no room for long extensions"},
	{"chunked encoding contains too much non-data", regexp.MustCompile(`\r\n`), "it bounds framing against data"},
}

// compareBody fails when net/http decodes a body that we accept to other data.
// It discards extensions unseen and leaves the trailer section in place.
func compareBody(t *testing.T, input []byte) {
	limits := DefaultLimits()
	var c Chunked
	var decoded []byte
	for rest, done := input, false; !done; {
		data, n, ended, err := c.Decode(rest, &limits)
		if err != nil || n == 0 && !ended {
			return
		}
		decoded = append(decoded, data...)
		rest, done = rest[n:], ended
	}
	theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(input)))
	if err != nil {
		for _, known := range bodyLeniency {
			if known.message == err.Error() && known.input.Match(input) {
				return
			}
		}
		t.Fatalf("%q: we accept, net/http says %v", input, err)
	}
	if !bytes.Equal(decoded, theirs) {
		t.Fatalf("%q: decoded to %q, by net/http to %q", input, decoded, theirs)
	}
}
