package nethttp

import (
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/weirhttp/weir/app"
)

var errTooLate = errors.New("early hints come before the head of the response")

// EarlyHints implements app.EarlyHinter. HTTP/1.0 has no interim responses.
func (s *source) EarlyHints(headers []app.Header) error {
	res := s.response
	switch {
	case res.over:
		return app.ErrGone
	case res.sent, res.deferred != nil:
		return errTooLate
	case s.r.ProtoAtLeast(1, 1):
		sendHints(res.w, headers)
	}
	return nil
}

// sendHints sends an interim response. What the header of w has is left for the final one.
func sendHints(w http.ResponseWriter, headers []app.Header) {
	h := w.Header()
	kept := maps.Clone(h)
	clear(h)
	for _, field := range headers {
		if !strings.EqualFold(field.Name, "Content-Length") {
			h.Add(field.Name, field.Value)
		}
	}
	w.WriteHeader(http.StatusEarlyHints)
	clear(h)
	maps.Copy(h, kept)
}
