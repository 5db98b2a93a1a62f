package h2

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/weirhttp/weir/app"
)

var (
	errTimeout = errors.New("the client took too long to send its content")
	errTooLong = errors.New("the content is longer than this server accepts")
)

// maxCollected bounds how much content a connection holds for requests whose application is not called yet, in octets.
const maxCollected = 1 << 20

// content is the content of a request, within the limits. It is read by one goroutine at a time.
type content struct {
	io.ReadCloser
	response *response
	patience time.Duration // how long the client is waited for: Config.ContentGrace at first, and the longer the more has come
	received int64
	timer    *time.Timer
	err      error
}

// receive prepares the content of r, and collects it when it is short, so that the application never waits for it. It is false when the content
// has failed.
func (h *handler) receive(w *response, r *http.Request) bool {
	config := h.server.config()
	if r.ContentLength == 0 {
		r.Body = http.NoBody
		return true
	}
	c := &content{ReadCloser: r.Body, response: w, patience: config.ContentGrace}
	r.Body = c
	if config.MaxContent > 0 && r.ContentLength > config.MaxContent {
		c.fail(http.StatusRequestEntityTooLarge, errTooLong)
		return false
	}
	size := int64(config.ContentBuffer)
	if r.ContentLength > size {
		return true
	}
	room := cmp.Or(max(r.ContentLength, 0), size)
	defer h.collected.Add(-room)
	if h.collected.Add(room) > maxCollected {
		return true
	}
	var all bytes.Buffer
	n, err := io.CopyN(&all, c, size+1)
	switch {
	case err == io.EOF:
		r.Body = &collected{app.NewMemory(all.Bytes()), c}
		r.ContentLength = n
		return true
	case err != nil:
		return false
	}
	r.Body = &begun{io.MultiReader(&all, c), c}
	return true
}

// collected is content that is there whole. It is an app.Input.
type collected struct {
	*app.Memory
	io.Closer
}

// begun is content whose beginning was read.
type begun struct {
	io.Reader
	io.Closer
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	config := c.response.server.config()
	limit := config.ContentTimeout
	if config.ContentRate > 0 {
		limit = max(1, min(c.patience, cmp.Or(limit, time.Hour)))
	}
	begin := time.Now()
	switch {
	case limit == 0:
	case c.timer == nil:
		c.timer = time.AfterFunc(limit, c.giveUp)
	default:
		c.timer.Reset(limit)
	}
	n, err = c.ReadCloser.Read(p)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.received += int64(n)
	if config.ContentRate > 0 {
		c.patience = min(c.patience, limit) - time.Since(begin) + time.Duration(n)*time.Second/time.Duration(config.ContentRate)
	}
	switch {
	case config.MaxContent > 0 && c.received > config.MaxContent:
		return 0, c.fail(http.StatusRequestEntityTooLarge, errTooLong)
	case err != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return n, c.fail(http.StatusRequestTimeout, errTimeout)
	case err != nil:
		c.err = err
	}
	return n, err
}

// fail ends the content for a fault of the client, who is told of it unless the answer has begun.
func (c *content) fail(code int, err error) error {
	c.err = err
	c.response.failure.Store(&failure{code, err.Error()})
	return err
}

// giveUp ends a Read that waits for the client.
func (c *content) giveUp() {
	w := c.response
	w.inTime(func() { _ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(past) })
}
