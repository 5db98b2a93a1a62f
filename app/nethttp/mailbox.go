package nethttp

import (
	"maps"
	"net/http"

	"github.com/weirhttp/weir/app"
)

// highWater is how many octets wait for the client when a producer should slow down (app.Watcher). No more are given to
// the http.ResponseWriter at once, so that it is seen when the client takes them.
const highWater = 64 << 10

// mailbox is the http.ResponseWriter that keeps what it is given for the goroutine of the request.
type mailbox struct {
	header http.Header    // it is read when code was taken, and not changed any more then
	hints  [][]app.Header // in front of the head: for responses with status 103
	code   int            // of the head that is to be sent, else 0
	data   []byte
	files  []enclosure // behind data
	octets int         // in both
}

func (m *mailbox) Header() http.Header  { return m.header }
func (m *mailbox) WriteHeader(code int) { m.code = code }

func (m *mailbox) Write(p []byte) (int, error) {
	last := &m.data
	if n := len(m.files); n > 0 {
		last = &m.files[n-1].behind
	}
	*last = append(*last, p...)
	m.octets += len(p)
	return len(p), nil
}

// parcel is what the goroutine of the request takes.
type parcel struct {
	hints  [][]app.Header
	answer *app.Response // behind them: a whole response; nil: what follows
	code   int           // of the head, 0: it was taken before
	data   []byte
	file   *enclosure // behind data; nil: none
	last   bool
	flush  bool
	err    error // with which the response ends, when it is the last
}

// serve sends the response, until it has ended or the client has left. It is called when the application has returned.
func (d *deferred) serve() error {
	defer d.settle()
	for {
		p := d.take()
		for _, headers := range p.hints {
			sendHints(d.w, headers)
		}
		if p.answer != nil {
			if err := d.res.tryBegin(p.answer.Status, p.answer.Headers); err != nil {
				return err
			}
			return d.res.pull(app.Bytes(p.answer.Content))
		}
		switch err := d.pass(&p); {
		case err == app.ErrGone:
			return d.abandon()
		case err != nil:
			return err
		case p.last:
			return p.err
		}
	}
}

// take waits until there is something to send, or the client has left.
func (d *deferred) take() parcel {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.returned = true
	d.tellLeft()
	for !d.gone && !d.finished && d.answer == nil && d.mail.code == 0 && d.mail.octets == 0 && d.mail.hints == nil {
		d.changed.Wait()
	}
	p := parcel{hints: d.mail.hints}
	d.mail.hints = nil
	if d.answer != nil {
		d.res.w = d.w
		p.answer = d.answer
		return p
	}
	p.code, p.err = d.mail.code, d.err
	p.data, p.file = d.mail.take()
	p.last = d.finished && p.file == nil
	// The end of the handler flushes what is complete, and with its length if it is short. What is cut off after it
	// is to arrive nevertheless.
	p.flush = d.res.sent && (!p.last || p.err != nil)
	d.mail.code = 0
	d.sending = len(p.data)
	if p.file != nil {
		d.sending += int(p.file.n)
	}
	d.mail.octets -= d.sending
	return p
}

// pass gives p to the http.ResponseWriter. err is app.ErrGone when the client has left, or nothing more is to be sent.
func (d *deferred) pass(p *parcel) error {
	if p.file != nil {
		defer p.file.file.Close()
	}
	if d.passed(0) {
		return app.ErrGone
	}
	if p.code != 0 {
		header := d.w.Header()
		clear(header)
		maps.Copy(header, d.mail.header)
		d.w.WriteHeader(p.code)
	}
	for len(p.data) > 0 {
		piece := p.data[:min(len(p.data), highWater)]
		p.data = p.data[len(piece):]
		if _, err := d.w.Write(piece); err != nil || d.passed(len(piece)) {
			return app.ErrGone
		}
	}
	if p.file != nil {
		if err := d.passFile(p.file); err != nil {
			return err
		}
	}
	if p.flush && flush(d.w) != nil {
		return app.ErrGone
	}
	return nil
}

// passed notes that n octets were taken, and tells whether the client has left.
func (d *deferred) passed(n int) (gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sending -= n
	if d.behind && !d.gone && d.mail.octets+d.sending <= highWater {
		d.behind = false
		if d.watcher != nil {
			d.Post(d.watcher.Drained)
		}
	}
	return d.gone
}

// abandon ends a response that nobody reads. Where it is not the client who has ended the context, what is missing must
// not look complete.
func (d *deferred) abandon() error {
	d.mu.Lock()
	err := d.err
	d.mu.Unlock()
	if err != nil && !aborts(err) {
		d.failed(err)
	}
	return http.ErrAbortHandler
}

// settle gives the response back to the handler.
func (d *deferred) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.res.w = d.w
}
