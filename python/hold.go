package python

import (
	"bytes"
	"errors"
	"hash/maphash"
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
	hold, err := s.holds.get(options)
	if err != nil {
		return err
	}
	if hold.Response, err = s.responses.get(rest); err != nil {
		if !errors.Is(err, errNotLatin1) {
			return err
		}
	} else if s.options.Hub == nil {
		err = errors.ErrUnsupported
	} else {
		err = s.options.Hub.Hold(r.deferred, hold)
	}
	switch {
	case err == nil:
	case errors.Is(err, hub.ErrClosed):
		s.log.Warn("a request is not held, because the hub has closed; answered 503", "pid", w.pid)
		r.fail(unavailableAnswer)
	default:
		s.log.Error("a request is not held: correct what the application gives to weir.hub's hold(); answered 500", "pid", w.pid, "topics", hold.Topics, "error", err)
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

// kept keeps what was read last: clients that wait in the same view mostly share it, whichever worker their request was
// in. What is kept is not changed. Any goroutine.
type kept[T any] struct {
	read func(octets []byte) (T, error)
	seed maphash.Seed

	mu     sync.Mutex // guards what follows
	values [16]struct {
		octets []byte
		value  T
	}
}

func newKept[T any](read func(octets []byte) (T, error)) *kept[T] {
	return &kept[T]{read: read, seed: maphash.MakeSeed()}
}

// mostKept is the length in octets of the longest value that is kept.
const mostKept = 16 << 10

// get returns what octets say.
func (k *kept[T]) get(octets []byte) (T, error) {
	place := &k.values[maphash.Bytes(k.seed, octets)%uint64(len(k.values))]
	k.mu.Lock()
	defer k.mu.Unlock()
	if place.octets != nil && bytes.Equal(place.octets, octets) {
		return place.value, nil
	}
	value, err := k.read(octets)
	if err == nil && len(octets) <= mostKept {
		place.octets, place.value = bytes.Clone(octets), value
	}
	return value, err
}
