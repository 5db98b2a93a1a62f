package hub

import (
	"strconv"
	"time"

	"github.com/weirhttp/weir/app"
)

// response is the outlet of a stream that is the response to a request.
type response struct {
	app.Deferred
	form  form
	retry time.Duration
	named bool // events have their topic as their type
}

func (r *response) begin(since uint64) (unsent int, err error) {
	return r.form.begin(r.Deferred, r.retry, since)
}

func (r *response) message(m Message, d *delivery) (unsent int, err error) {
	switch {
	case r.form.bare:
		return r.Write(m.Data)
	case d != nil && !r.named:
		return r.Write(d.chunk())
	}
	return r.Write(appendEvent(nil, m, r.named))
}

func (r *response) life(since uint64) (unsent int, err error) {
	if r.form.bare {
		return 0, nil
	}
	return r.Write(appendPosition([]byte(": keep-alive"), since))
}

func (r *response) end(why error) {
	if why == ErrClosed || why == ErrGone {
		_ = r.Close()
	} else {
		r.Abort(why)
	}
}

// appendPosition ends a block of a stream with the id that the client is to name when it connects again.
func appendPosition(b []byte, id uint64) []byte {
	return append(strconv.AppendUint(append(b, "\nid: "...), id, 10), "\n\n"...)
}
