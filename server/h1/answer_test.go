package h1_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// response is one that a client has read.
type response struct {
	status int
	lines  []string // field lines, in the order received, without Date
	body   string
	cut    bool // the content ended too early
}

func (r response) String() string {
	return fmt.Sprintf("%d\n  %s\n  %.200q cut=%v", r.status, strings.Join(r.lines, "\n  "), r.body, r.cut)
}

// values are those of the fields of that name.
func (r response) values(name string) (values []string) {
	for _, line := range r.lines {
		if n, v, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			values = append(values, v)
		}
	}
	return values
}

func (r response) last() bool {
	return len(r.values("Connection")) == 1 && r.values("Connection")[0] == "close"
}

// errIncomplete is what readResponse returns while there may be more to come.
var errIncomplete = errors.New("incomplete")

// readResponse reads a response off the front of out with net/http's reader, and judges what every response
// must have. isHead tells that it answers a HEAD; ended tells that nothing follows out.
func readResponse(out []byte, isHead, ended bool) (r response, rest []byte, err error) {
	end := bytes.Index(out, []byte("\r\n\r\n"))
	if end < 0 {
		if ended {
			return r, nil, fmt.Errorf("the connection ended inside of a head: %q", out)
		}
		return r, nil, errIncomplete
	}
	lines := strings.Split(string(out[:end]), "\r\n")
	dates := 0
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(line, "\r\n\x00") {
			return r, nil, fmt.Errorf("malformed field line %q", line)
		}
		if strings.EqualFold(name, "Date") {
			dates++
			if _, err := http.ParseTime(value); err != nil {
				return r, nil, err
			}
			continue
		}
		r.lines = append(r.lines, line)
	}
	method := "GET"
	if isHead {
		method = "HEAD"
	}
	source := bytes.NewReader(out)
	reader := bufio.NewReaderSize(source, len(out))
	read, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return r, nil, err
	}
	r.status = read.StatusCode
	body, err := io.ReadAll(read.Body)
	r.body = string(body)
	rest = out[len(out)-source.Len()-reader.Buffered():]
	r.cut = err != nil
	toTheEnd := read.ContentLength < 0 && len(read.TransferEncoding) == 0 && !isHead && r.status >= 200
	if (r.cut || toTheEnd) && !ended {
		return r, nil, errIncomplete
	}

	lengths, codings := len(r.values("Content-Length")), len(r.values("Transfer-Encoding"))
	switch {
	case !strings.HasPrefix(lines[0], "HTTP/1.1 "):
		err = fmt.Errorf("status line %q", lines[0])
	case r.status >= 200 && dates != 1:
		err = fmt.Errorf("%d Date fields", dates)
	case r.status >= 200 && len(r.values("Server")) > 1, len(r.values("Connection")) > 1:
		err = errors.New("a field is repeated")
	case lengths+codings > 1:
		err = errors.New("more than one field frames the content")
	case (r.status < 200 || r.status == 204) && lengths+codings > 0: // RFC 9112 6.1, RFC 9110 8.6
		err = fmt.Errorf("a %d has content", r.status)
	case lengths == 0 && codings == 0 && !isHead && r.status >= 200 && r.status != 204 && r.status != 304 && !r.last():
		err = errors.New("content is delimited by the end of a connection that persists")
	default:
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%w in %q", err, out[:end])
	}
	return r, rest, err
}
