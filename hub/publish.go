package hub

import (
	"errors"
	"io"

	"github.com/weirhttp/weir/app"
)

// Publisher returns the application that publishes: POST of prefix and the name of a topic, "/publish/" for one. The
// content of the request is the message, whatever its type. The answer is
//
//	{"id":12,"reached":3}
//
// where reached is how many requests on this machine were waiting for the message. A message that is too large is
// answered with 413, and 503 with Retry-After tells that it was not published because the store does not answer. Who
// may publish is for middleware to say.
func (h *Hub) Publisher(prefix string) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		hold, _, refusal := h.parse(environ, prefix, "POST")
		switch {
		case refusal != nil:
			return answer(environ, start, refusal)
		case len(hold.Topics) > 1:
			return answer(environ, start, badRequest("a message is published to one topic"))
		}
		data, err := h.content(environ)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return answer(environ, start, badRequest("the content has not come whole"))
		}
		var id uint64
		var reached int
		if err == nil {
			id, reached, err = h.Publish(hold.Topics[0], data)
		}
		switch {
		case errors.Is(err, ErrTooLarge):
			return answer(environ, start, textAnswer("413 Content Too Large", "the message is too large\n"))
		case err != nil:
			_, _ = io.WriteString(environ.Errors(), err.Error()+"\n")
			return answer(environ, start, unavailable)
		}
		return answer(environ, start, jsonAnswer("200 OK", struct {
			ID      uint64 `json:"id"`
			Reached int    `json:"reached"`
		}{id, reached}))
	}
}

// content reads the content of a request, as far as it may be a message.
func (h *Hub) content(environ *app.Environ) ([]byte, error) {
	if environ.ContentLength() > int64(h.options.MaxMessage) {
		return nil, ErrTooLarge
	}
	if all, ok := environ.Input().View(); ok {
		return all, nil
	}
	return io.ReadAll(io.LimitReader(environ.Input(), int64(h.options.MaxMessage)+1))
}
