package python

import (
	"encoding/binary"
	"os"

	"github.com/weirhttp/weir/app"
)

// What a worker sends of a response becomes calls of the Deferred here, on the goroutine that reads from the worker.

// highWater is how many octets may wait for a client before Deferred tells when it has caught up.
const highWater = 64 << 10

// whole is an answer that is there whole: one object with room for what is usual.
type whole struct {
	app.Response
	short [192]byte
}

// respond begins the response to r, and ends it when that was all.
func (w *worker) respond(r *request, h *head, content []byte, ended bool) {
	if ended && w.home != nil {
		answer := &w.reader.answer
		answer.Status, answer.Headers, answer.Content = h.status, h.headers, content
		_ = w.home.Answer(r.deferred, answer) // ErrGone: the client has left
		return
	}
	if ended {
		w := &whole{Response: app.Response{Status: h.status, Headers: h.headers}}
		w.Content = append(w.short[:0], content...)
		_ = r.deferred.Answer(&w.Response) // ErrGone: the client has left
		return
	}
	if err := r.deferred.Start(h.status, h.headers); err != nil {
		r.deferred.Abort(err)
		r.abandon()
		return
	}
	if len(content) > 0 {
		r.write(content)
	}
}

// data passes content on.
func (r *request) data(content []byte, ended bool) {
	if len(content) > 0 {
		r.write(content)
	}
	if ended {
		_ = r.deferred.Close()
	}
}

// enclose passes a file on as content. The file is closed in the end, here or by the server.
func (e *event) enclose(file *os.File) error {
	r := e.request
	switch {
	case len(e.payload) < 16 || file == nil:
		closeFile(file)
		return errFrame
	case r == nil || e.silent:
		closeFile(file)
		return nil
	}
	offset, count := binary.LittleEndian.Uint64(e.payload), binary.LittleEndian.Uint64(e.payload[8:])
	if err := r.deferred.SendFile(file, int64(offset), int64(count)); err != nil && err != app.ErrGone {
		r.deferred.Abort(err)
		return nil
	}
	if e.ended {
		_ = r.deferred.Close()
	}
	return nil
}

// hint sends an interim response.
func (r *request) hint(payload []byte) error {
	u := unmarshaler{payload}
	fields, err := u.fields()
	if err != nil {
		return err
	}
	_ = r.deferred.EarlyHints(fields) // ErrGone: the client has left
	return nil
}

// write passes content on, and gives credit for it when the client is not behind.
func (r *request) write(content []byte) {
	s := r.supervisor
	s.mu.Lock()
	r.owed += len(content) // before the client can be told to have caught up
	s.mu.Unlock()
	unsent, err := r.deferred.Write(content)
	if err == nil && unsent <= highWater {
		r.credit(minCredit)
	}
}

// abandon tells the worker that nobody waits for the response any more.
func (r *request) abandon() { r.Left() }

// fail ends the response with answer, or cuts it off when it has begun. outcome is which of it, for the log.
func (r *request) fail(answer *app.Response) (outcome string) {
	if r.deferred.Answer(answer) == nil {
		return "answered " + answer.Status[:3]
	}
	r.deferred.Abort(app.ErrAbort) // which does nothing when the client has left
	return "cut off"
}
