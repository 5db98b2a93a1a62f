package hub

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// form is what the answers to a held request look like. The zero form is that of Poll and Events.
type form struct {
	own  *app.Response // Hold.Response
	bare bool          // FormatData
}

func (hold *Hold) form() form { return form{hold.Response, hold.Format == FormatData} }

// render is the answer that has a message.
func (f form) render(m Message) *app.Response {
	if f.bare {
		return f.dress(&app.Response{Status: "200 OK", Headers: emptyHeaders, Content: m.Data})
	}
	return f.dress(messageAnswer(m))
}

// dress is r with the fields of the application's response.
func (f form) dress(r *app.Response) *app.Response {
	if f.own == nil {
		return r
	}
	dressed := *r
	dressed.Headers = f.fields(r.Headers)
	return &dressed
}

// fields are those of the application's response that are true of other content too, and those of ours that it does
// not have.
func (f form) fields(ours []app.Header) []app.Header {
	if f.own == nil {
		return ours
	}
	fields := make([]app.Header, 0, len(f.own.Headers)+len(ours))
	for _, h := range f.own.Headers {
		if !describesContent(h.Name) || strings.EqualFold(h.Name, "Content-Type") && !has(ours, h.Name) {
			fields = append(fields, h)
		}
	}
	for _, h := range ours {
		if !has(fields, h.Name) {
			fields = append(fields, h)
		}
	}
	return fields
}

func has(fields []app.Header, name string) bool {
	return slices.ContainsFunc(fields, func(h app.Header) bool { return strings.EqualFold(h.Name, name) })
}

// describesContent tells whether a field is about the content that it comes with (RFC 9110 8, RFC 9530).
func describesContent(name string) bool {
	switch strings.ToLower(name) {
	case "content-type", "content-length", "content-encoding", "content-language", "content-location", "content-range", "content-disposition",
		"content-md5", "content-digest", "repr-digest", "digest", "etag", "last-modified", "accept-ranges", "expires":
		return true
	}
	return false
}

// rendered is a message as it was answered with last: requests that are held alike share it.
type rendered struct {
	form     form
	response *app.Response
}

// answer is the answer to a held request.
func (d *delivery) answer(f form) *app.Response {
	r := d.rendered.Load()
	if r == nil || r.form != f {
		r = &rendered{f, f.render(d.message)}
		d.rendered.Store(r)
	}
	return r.response
}

// head is the head of a stream.
func (f form) head() (status string, fields []app.Header) {
	status, fields = "200 OK", eventHeaders
	if f.bare {
		fields = bareHeaders
	}
	if f.own != nil {
		status, fields = f.own.Status, f.fields(fields)
	}
	return status, fields
}

// begin begins a stream on d: with its head, with what the application has for its beginning, and with the position.
func (f form) begin(d app.Deferred, retry time.Duration, since uint64) (unsent int, err error) {
	if err := d.Start(f.head()); err != nil {
		return 0, err
	}
	var first []byte
	if f.own != nil {
		first = f.own.Content
	}
	if !f.bare {
		first = strconv.AppendInt(append(slices.Clip(first), "retry: "...), retry.Milliseconds(), 10)
		first = appendPosition(first, since)
	}
	if len(first) == 0 {
		return 0, nil
	}
	return d.Write(first)
}
