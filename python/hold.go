package python

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// What a worker says with HOLD becomes a call of hub.Hold. From then on the hub is the watcher of the request: nothing here
// refers to it any more, and a client that waits costs the same as one that polls the hub itself.

// hold has the hub hold r, as its application wants. The worker's part of r has ended.
func (w *worker) hold(r *request, payload []byte) error {
	options, rest, err := split(payload)
	if err != nil {
		return err
	}
	s := w.supervisor
	hold, err := s.holds.read(options, rest)
	switch {
	case errors.Is(err, errNotLatin1):
	case err != nil:
		return err
	case s.options.Hub == nil:
		err = errors.ErrUnsupported
	default:
		hold.Head = r.head
		err = s.options.Hub.Hold(r.deferred, hold)
	}
	switch {
	case err == nil:
	case errors.Is(err, hub.ErrClosed):
		s.log.Warn("a request is not held, because the hub has closed; answered 503", "pid", w.pid, r.about(w))
		r.fail(unavailableAnswer)
	default:
		s.log.Error("a request is not held: correct what the application gives to weir.hub's hold(); answered 500", "pid", w.pid, "topics", hold.Topics, "error", err, r.about(w))
		r.fail(failedAnswer)
	}
	return nil
}

// readHold reads the arguments of hold(), which the worker has checked.
func readHold(octets []byte) (hold hub.Hold, err error) {
	v, err := unmarshal(octets)
	if err != nil {
		return hold, err
	}
	options, _ := v.(map[string]any)
	topics, _ := options["topics"].([]any)
	for _, topic := range topics {
		name, _ := topic.(string)
		hold.Topics = append(hold.Topics, name)
	}
	if seconds, ok := options["timeout"].(float64); ok {
		hold.Timeout = duration(seconds)
	}
	if since, ok := options["since"].(string); ok {
		hold.Told = true
		if hold.Since, err = strconv.ParseUint(since, 10, 64); err != nil {
			return hold, err
		}
	}
	hold.Stream = options["stream"] == true
	hold.Wildcards = options["wildcards"] == true
	format, _ := options["format"].(string)
	hold.Format = hub.Format(format)
	return hold, nil
}

// duration is a timeout as hub.Hold has it: a negative one stands for 0 seconds.
func duration(seconds float64) time.Duration {
	if seconds <= 0 {
		return -1
	}
	return time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2))
}

// readResponse reads a head and content. The response is nil when the application has given none.
func readResponse(octets []byte) (*app.Response, error) {
	marshalled, content, err := split(octets)
	if err != nil || len(marshalled) == 0 {
		return nil, err
	}
	h, err := readHead(marshalled)
	if err != nil {
		return nil, err
	}
	return &app.Response{Status: h.status, Headers: h.headers, Content: bytes.Clone(content)}, nil
}

// holds keeps what clients wait for that were held last: those in the same view mostly share it, whichever worker their request was in.
type holds struct {
	mu        sync.Mutex // guards what follows
	holds     *recent[hub.Hold]
	responses *recent[*app.Response]
}

func newHolds() holds {
	const places, longest = 16, 16 << 10
	return holds{holds: newRecent(readHold, places, longest), responses: newRecent(readResponse, places, longest)}
}

// read reads the arguments of hold() and the response of the application, which may be what cannot be sent: errNotLatin1.
func (h *holds) read(options, response []byte) (hold hub.Hold, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hold, err = h.holds.get(options); err == nil {
		hold.Response, err = h.responses.get(response)
	}
	return hold, err
}
