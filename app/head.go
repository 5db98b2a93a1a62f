package app

import (
	"slices"
	"strconv"
	"strings"
)

// Head is the head of a response on its way from the application to the server, as a Filter sees it. It is the filter's until
// that returns.
type Head struct {
	// Status is what start was given. One that cannot be sent is found by the server, behind the filter.
	Status string
	// Headers is a copy, which may be changed and appended to.
	Headers []Header
	// Size is the length of the content in octets where it is known: it was declared, or the body tells it; -1 where it is not.
	Size int64

	// Coder, when a filter sets it, codes the content. It is FilterContent's: FilterHead closes it unused.
	Coder Coder
	// Body, when a filter sets it, is sent in the place of the content, which is dropped, and not coded. A Filer stays one. It is
	// FilterContent's too.
	Body Body
}

// Coder codes the content of one response, a chunk at a time. It is used by one goroutine at a time.
type Coder interface {
	// Encode appends to dst what chunk has become, all of it: what the client has got is to be of use without what follows. last
	// tells that nothing follows. dst is not kept.
	Encode(dst, chunk []byte, last bool) ([]byte, error)
	// Close is called once, whatever became of the response.
	Close()
}

// newHead returns the head that start was called with.
func newHead(status string, headers []Header, size int64) *Head {
	h := &Head{Status: status, Headers: append(make([]Header, 0, len(headers)+4), headers...), Size: size}
	if declared, ok := h.Get("Content-Length"); ok {
		if n, err := strconv.ParseUint(declared, 10, 63); err == nil {
			h.Size = int64(n)
		}
	}
	return h
}

// see has filter see the head.
func (h *Head) see(filter Filter) {
	filter(h)
	if h.Body != nil && h.Coder != nil {
		h.Coder.Close()
		h.Coder = nil
	}
}

// drop closes what a filter has set.
func (h *Head) drop() {
	if h.Coder != nil {
		h.Coder.Close()
	}
	if h.Body != nil {
		_ = h.Body.Close()
	}
}

// Code is the status code, 0 when the status is wrong.
func (h *Head) Code() int {
	code, _ := CheckStatus(h.Status)
	return code
}

// Get returns the value of the first field of that name, in any case.
func (h *Head) Get(name string) (value string, ok bool) {
	for _, f := range h.Headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Add appends a field.
func (h *Head) Add(name, value string) {
	h.Headers = append(h.Headers, Header{Name: name, Value: value})
}

// Set replaces all fields of that name by one.
func (h *Head) Set(name, value string) {
	h.Delete(name)
	h.Add(name, value)
}

// SetDefault adds a field, unless there is one of that name.
func (h *Head) SetDefault(name, value string) {
	if _, ok := h.Get(name); !ok {
		h.Add(name, value)
	}
}

// Delete removes all fields of that name.
func (h *Head) Delete(name string) {
	h.Headers = slices.DeleteFunc(h.Headers, func(f Header) bool { return strings.EqualFold(f.Name, name) })
}

// Lists tells whether a field of that name, a list of tokens, has token as a member, in any case.
func (h *Head) Lists(name, token string) bool {
	for _, f := range h.Headers {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		for member := range strings.SplitSeq(f.Value, ",") {
			if strings.EqualFold(strings.Trim(member, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// Vary adds the name of a request's field to Vary (RFC 9110 12.5.5), unless it is there, or "*" is.
func (h *Head) Vary(name string) {
	if h.Lists("Vary", name) || h.Lists("Vary", "*") {
		return
	}
	for i, f := range h.Headers {
		if strings.EqualFold(f.Name, "Vary") && f.Value != "" {
			h.Headers[i].Value = f.Value + ", " + name
			return
		}
	}
	h.Set("Vary", name)
}
