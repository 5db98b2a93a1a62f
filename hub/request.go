package hub

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// parse reads the method and the topics of a request: what follows prefix in its path, and the parameters "topic".
// refusal is not nil when it is not one for the hub. hold refers to nothing of the environ.
func (h *Hub) parse(environ *app.Environ, prefix, method string) (hold Hold, q query, refusal *app.Response) {
	path, ok := bytes.CutPrefix(environ.Path(), []byte(prefix))
	name := string(path)
	if !ok {
		return hold, "", textAnswer("404 Not Found", "there is no such page\n")
	}
	if environ.Method() != method {
		return hold, "", textAnswer("405 Method Not Allowed", "this page answers "+method+"\n", app.Header{Name: "Allow", Value: method})
	}
	if q = query(environ.Query()); !q.valid() {
		return hold, "", badRequest("the query is malformed")
	}
	hold.Wildcards = h.patterns != nil && method == "GET" // a message is published to the topic that has the name
	if name != "" {
		hold.Topics = append(hold.Topics, name)
	}
	for name := range q.values("topic") {
		hold.Topics = appendTopic(hold.Topics, strings.Clone(name)) // a held request must not keep the whole query
		if len(hold.Topics) > h.options.MaxTopics {
			break // enough to be too many
		}
	}
	if err := h.checkTopics(hold.Topics, hold.Wildcards); err != nil {
		return hold, q, badRequest("%v", err)
	}
	return hold, q, nil
}

// readSince reads the position that the client goes on from, which is text.
func (hold *Hold) readSince(text string) (refusal *app.Response) {
	var err error
	if hold.Since, err = strconv.ParseUint(text, 10, 64); err != nil {
		return badRequest("since must be the id of a message, or 0")
	}
	hold.Told = true
	return nil
}

// timeout reads for how long a poll is to wait.
func (h *Hub) timeout(q query) (time.Duration, *app.Response) {
	text, ok := q.value("timeout")
	if !ok {
		return h.options.PollTimeout, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if most := h.options.MaxPollTimeout.Seconds(); err != nil || !(seconds >= 0 && seconds <= most) {
		return 0, badRequest("timeout must be a number of seconds from 0 to %v", most)
	}
	if timeout := time.Duration(seconds * float64(time.Second)); timeout > 0 {
		return timeout, nil
	}
	return -1, nil
}
