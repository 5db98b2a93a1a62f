package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/app"
)

// reader reads what a worker sends. It belongs to the goroutine or the loop that reads from the worker.
type reader struct {
	receiver receiver
	heads    *recent[*head]
	events   []event
	answer   app.Response // storage
}

// event is a frame together with the request that it is about.
type event struct {
	frame
	request *request // nil: about none
	ended   bool     // it was the last of the request
	silent  bool     // nobody waits for the response
}

func closeFile(file *os.File) {
	if file != nil {
		_ = file.Close()
	}
}

// receive sees to a packet. file is the descriptor that came with it.
func (w *worker) receive(packet []byte, file *os.File) error {
	events := w.reader.events[:0]
	for len(packet) > 0 {
		var e event
		var err error
		if e.frame, packet, err = nextFrame(packet); err != nil {
			closeFile(file)
			return err
		}
		events = append(events, e)
	}
	w.account(events)
	var err error
	for i := range events {
		e := &events[i]
		if e.kind == frameFile {
			err = errors.Join(err, e.enclose(file))
			file = nil
		} else {
			err = errors.Join(err, w.handle(e))
		}
		if e.ended {
			e.request.forget()
		}
	}
	closeFile(file)
	clear(events)
	w.reader.events = events
	return err
}

// account notes which requests have ended, and gives the worker others before their answers are seen to.
func (w *worker) account(events []event) {
	s := w.supervisor
	s.mu.Lock()
	defer s.release()
	s.takeInbox()
	finished := 0
	var last *request // of those that have ended
	t := now()
	still := s.capacity() == 1 && t-w.since > int64(stillTime)
	w.wakes()
	for i := range events {
		e := &events[i]
		switch e.kind {
		case frameHead, frameData, frameAbort, frameWant, frameFile, frameHints, frameHold, frameBegun, frameReturned:
			e.request = w.requests.get(e.number)
		}
		r := e.request
		if r == nil {
			continue
		}
		e.silent = r.gone
		r.progress = t
		switch {
		case e.kind == frameReturned:
			r.leaves()
			s.requeue(r)
			s.takenBack++
		case e.kind == frameAbort, e.kind == frameHold,
			e.ends() && (e.kind == frameHead || e.kind == frameData || e.kind == frameFile):
			e.ended = true
			finished++
			if last != nil {
				s.learn(last, last.tookLong(t))
			}
			last = r
			r.leaves()
			r.ends()
		default:
			r.begins()
			if e.kind == frameBegun && r.noticed == 0 {
				r.noticed = t
			}
			r.streams = r.streams || e.kind == frameHead
		}
	}
	w.flush()
	if finished > 0 {
		// The worker has sent nothing for long: it was the last call that kept it, with Python's lock, and replies to calls before it were not yet due.
		s.learn(last, last.tookLong(t) || still && last.content == nil)
		w.blocked = w.blocked && len(w.outbox) > 0
		w.measure(finished)
		if w.most > 0 && w.answered >= w.most {
			w.replace("it has answered --max-requests")
		}
	}
	if w.begun >= s.capacity() && w.requests.count > w.begun {
		s.takeBack(w)
	}
	s.fill(w)
	s.spread()
}

// replace asks for the worker to be replaced.
func (w *worker) replace(why string) {
	select {
	case w.retire <- why:
	default:
	}
}

// handle sees to a frame.
func (w *worker) handle(e *event) error {
	s := w.supervisor
	r := e.request
	switch e.kind {
	case frameReady:
		return w.serves(e.payload)
	case frameFailed:
		w.tellReady(&StartError{Traceback: string(e.payload)})
		return nil
	case frameState:
		return w.state(e.payload)
	case framePublish:
		return w.publish(e.number, e.payload)
	case frameAbort:
		if r != nil {
			traceback, request := untag(e.payload, w.pid)
			s.log.Error("the application failed", "pid", w.pid, "traceback", string(traceback), request)
			if !e.silent {
				r.fail(failedAnswer)
			}
		}
		return nil
	}
	if r == nil {
		return nil // of a request that was answered otherwise
	}
	switch e.kind {
	case frameHead:
		octets, content, err := split(e.payload)
		if err != nil {
			return err
		}
		if e.silent {
			return nil
		}
		h, err := w.reader.heads.get(octets)
		if errors.Is(err, errNotLatin1) {
			s.log.Error("the application's response cannot be sent", "pid", w.pid, "error", err, r.about(w))
			r.fail(failedAnswer)
			return nil
		}
		if err != nil {
			return err
		}
		w.respond(r, h, content, e.ended)
	case frameData:
		if !e.silent {
			r.data(e.payload, e.ended)
		}
	case frameWant:
		if len(e.payload) < 4 {
			return errFrame
		}
		r.want(int(binary.LittleEndian.Uint32(e.payload)))
	case frameHints:
		if !e.silent {
			return r.hint(e.payload)
		}
	case frameHold:
		if !e.silent {
			return w.hold(r, e.payload)
		}
	}
	return nil
}

// serves notes what a worker can do that is ready.
func (w *worker) serves(payload []byte) error {
	v, err := unmarshal(payload)
	if err != nil {
		return err
	}
	ready, _ := v.(map[string]any)
	s := w.supervisor
	s.mu.Lock()
	w.marks.used = ready["marks"] == true
	w.takesSeveral = ready["several"] == true
	if seconds, ok := ready["import"].(float64); ok {
		w.imported = time.Duration(seconds * float64(time.Second))
	}
	s.mu.Unlock()
	if ready["keys"] == true {
		s.shapes.enabled.Store(true)
	}
	w.tellReady(nil)
	return nil
}

func (w *worker) tellReady(err error) {
	select {
	case w.ready <- err:
	default:
	}
}

// state notes what the worker tells of itself.
func (w *worker) state(payload []byte) error {
	v, err := unmarshal(payload)
	if err != nil {
		return err
	}
	state, _ := v.(map[string]any)
	rss, _ := state["rss"].(int64)
	w.rss.Store(rss)
	if most := w.supervisor.options.MaxRSS; most > 0 && rss > most {
		requests, _ := state["requests"].(int64)
		w.tooLarge(rss, most, requests > 0)
	}
	return nil
}

// tooLarge sees to a worker that takes more memory than it may. One that has not served yet is as small as any other would be.
func (w *worker) tooLarge(rss, most int64, hasServed bool) {
	s := w.supervisor
	if hasServed {
		w.replace(fmt.Sprintf("it takes %d MiB of memory, more than --max-worker-rss %d", rss>>20, most>>20))
		return
	}
	s.warned.Do(func() {
		s.log.Warn("a worker takes more memory than --max-worker-rss before its first request: each is replaced after its first ones; raise the limit",
			"pid", w.pid, "mebibytes", rss>>20, "limit", most>>20)
	})
}

// publish publishes a message for the worker.
func (w *worker) publish(number uint32, payload []byte) error {
	topic, message, err := split(payload)
	if err != nil {
		return err
	}
	name, data := string(topic), append([]byte{}, message...)
	go func() { // a store that others share may take its time
		s := w.supervisor
		var id uint64
		var reached int
		err := errors.ErrUnsupported
		if s.options.Hub != nil {
			id, reached, err = s.options.Hub.Publish(name, data)
		}
		var result any = tuple{int(id), reached}
		if err != nil {
			result = nil
			s.log.Error("the application's message was not published", "pid", w.pid, "topic", name, "error", err)
		}
		p := appendFrame(nil, frameResult, 0, number, appendMarshal(nil, result))
		s.mu.Lock()
		w.control(p)
		s.mu.Unlock()
	}()
	return nil
}
