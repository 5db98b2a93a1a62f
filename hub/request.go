package hub

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// request is what a client asks the hub for. It refers to nothing of the environ.
type request struct {
	query  query
	topics []string
	since  uint64
	told   bool // since was named by the client
}

// parse reads the method and the topics of a request: what follows prefix in its path, and the parameters "topic".
// refusal is not nil when it is not one for the hub.
func (h *Hub) parse(environ *app.Environ, prefix, method string) (r request, refusal *app.Response) {
	path, ok := bytes.CutPrefix(environ.Path(), []byte(prefix))
	name := string(path)
	if !ok {
		return r, textAnswer("404 Not Found", "there is no such page\n")
	}
	if environ.Method() != method {
		return r, textAnswer("405 Method Not Allowed", "this page answers "+method+"\n", app.Header{Name: "Allow", Value: method})
	}
	if r.query = query(environ.Query()); !r.query.valid() {
		return r, badRequest("the query is malformed")
	}
	if name != "" {
		r.topics = append(r.topics, name)
	}
	for name := range r.query.values("topic") {
		if !slices.Contains(r.topics, name) {
			r.topics = append(r.topics, strings.Clone(name)) // a held request must not keep the whole query
		}
		if len(r.topics) > h.options.MaxTopics {
			return r, badRequest("a request may name %d topics", h.options.MaxTopics)
		}
	}
	if len(r.topics) == 0 {
		return r, badRequest("the request names no topic")
	}
	for _, name := range r.topics {
		if !h.validTopic(name) {
			return r, badRequest("a topic's name must be UTF-8 without control characters, of 1 to %d octets", h.options.MaxTopicName)
		}
	}
	return r, nil
}

// readSince reads the position that the client goes on from, which is text.
func (r *request) readSince(text string) (refusal *app.Response) {
	var err error
	if r.since, err = strconv.ParseUint(text, 10, 64); err != nil {
		return badRequest("since must be the id of a message, or 0")
	}
	r.told = true
	return nil
}

// look reads what the topics have after since; without since, nothing, and since becomes the position that they have
// now.
func (h *Hub) look(r *request, limit int) (Page, *app.Response) {
	if !r.told {
		limit = 0
	}
	page, err := h.read(r.topics, r.since, limit)
	switch {
	case err != nil || h.closed.Load():
		return page, unavailable
	case page.Gone:
		return page, gone(page)
	case !r.told:
		r.since = page.Last
	}
	return page, nil
}

// timeout reads for how long a poll is to wait.
func (h *Hub) timeout(r *request) (time.Duration, *app.Response) {
	text, ok := r.query.value("timeout")
	if !ok {
		return h.options.PollTimeout, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if most := h.options.MaxPollTimeout.Seconds(); err != nil || !(seconds >= 0 && seconds <= most) {
		return 0, badRequest("timeout must be a number of seconds from 0 to %v", most)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
