package h2

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// pieceSize is how much of a response the client has to take within the write timeout.
const pieceSize = 16 << 10

// response is the http.ResponseWriter of one request: it counts what is sent, sees to the fields that are the server's, and gives up on
// a client that does not read. It belongs to the goroutine of the request.
type response struct {
	http.ResponseWriter
	server  *Server
	head    bool // the request is HEAD
	close   bool // the connection takes no more requests
	refused bool // the answer is the server's own, what the application writes is not sent
	status  int  // 0: no head is sent
	octets  int64
	stall   *time.Timer
	failure atomic.Pointer[failure] // set by whoever reads the content

	mu   sync.Mutex
	over bool // guarded by mu: the ResponseWriter must not be used any more
}

// failure is what was wrong with the content of a request.
type failure struct {
	code int
	why  string
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter. Where the content of the request was at fault, the answer is that, whatever the application has
// made of it.
func (w *response) WriteHeader(code int) {
	switch {
	case w.status != 0:
		return
	case code < 200:
		w.ResponseWriter.WriteHeader(code)
		return
	}
	if w.failure.Load() != nil {
		w.refuse(0, "")
		return
	}
	w.writeHead(code)
}

func (w *response) writeHead(code int) {
	w.status = code
	h := w.Header()
	if _, own := h["Server"]; !own && w.server.config().Server != "" {
		h.Set("Server", w.server.config().Server)
	}
	if w.close {
		h.Set("Connection", "close") // x/net/http2 takes it for GOAWAY, and does not send it
	}
	w.ResponseWriter.WriteHeader(code)
}

// refuse answers with a text, unless an answer has begun: with the failure of the content, if there is one. why is for the client to
// read.
func (w *response) refuse(code int, why string) {
	if f := w.failure.Load(); f != nil {
		code, why = f.code, f.why
	}
	if w.status != 0 || code == 0 {
		return
	}
	text := http.StatusText(code) + ": " + why + "\n"
	h := w.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.writeHead(code)
	w.refused = true
	if !w.head {
		n, _ := io.WriteString(w.ResponseWriter, text)
		w.octets += int64(n)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.refused {
		return len(p), nil
	}
	for n < len(p) && err == nil {
		piece := p[n:min(len(p), n+pieceSize)]
		w.watch()
		var m int
		m, err = w.ResponseWriter.Write(piece)
		w.unwatch()
		n += m
	}
	w.octets += int64(n)
	return n, err
}

// FlushError implements what http.ResponseController calls.
func (w *response) FlushError() error {
	w.watch()
	defer w.unwatch()
	return w.ResponseWriter.(interface{ FlushError() error }).FlushError()
}

// watch has the stream reset when the write timeout passes before unwatch.
func (w *response) watch() {
	switch d := w.server.config().WriteTimeout; {
	case d == 0:
	case w.stall == nil:
		w.stall = time.AfterFunc(d, w.giveUp)
	default:
		w.stall.Reset(d)
	}
}

func (w *response) unwatch() {
	if w.stall != nil {
		w.stall.Stop()
	}
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

func (w *response) giveUp() {
	w.inTime(func() { _ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(past) })
}

// inTime runs f unless the request is over. Any goroutine may call it.
func (w *response) inTime(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		f()
	}
}

// end is called when the request is over.
func (w *response) end() {
	w.unwatch()
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.server.config().WriteTimeout; d > 0 && w.octets > 0 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(d))
	}
	w.over = true
}
