package python

import (
	"errors"
	"io"
	"net/http"

	"github.com/weirhttp/weir/app"
)

// Application implements app.Application: it has a worker answer. It does not block: content that does not go with the request is passed
// on by a goroutine.
func (s *Supervisor) Application(environ *app.Environ, start app.StartResponse) app.Body {
	if int(s.waiting.Load()) >= s.options.Queue {
		s.refused(&s.refusals.full)
		return answer(start, unavailableAnswer)
	}
	if view, whole := environ.Input().View(); whole {
		if p := s.shapes.packet(environ, view, int64(len(view)), true); p != nil {
			s.accept(environ, p, nil)
			return nil
		}
	}
	return app.Blocking(s.passContentOn)(environ, start)
}

// passContentOn has a worker answer a request with content that is sent to it as it asks for more.
func (s *Supervisor) passContentOn(environ *app.Environ, start app.StartResponse) app.Body {
	input := environ.Input()
	var source io.Reader = input
	length := environ.ContentLength()
	if length < 0 || !s.options.StreamBodies {
		kept := &spool{}
		defer kept.Close()
		if err := kept.readAll(input, s.options.BodyBuffer); err != nil {
			return s.contentFailed(start, err)
		}
		source, length = kept, kept.size
	}
	p := s.shapes.packet(environ, nil, length, length == 0)
	if p == nil {
		return answer(start, refusal(http.StatusRequestHeaderFieldsTooLarge))
	}
	if length == 0 {
		s.accept(environ, p, nil)
		return nil
	}
	c := newContent(source, length)
	s.accept(environ, p, c).feed()
	return nil
}

// accept has the request of environ answered by a worker.
func (s *Supervisor) accept(environ *app.Environ, p *packet, c *content) *request {
	method := environ.Method()
	r := &request{supervisor: s, packet: p, content: c, safe: method == "GET" || method == "HEAD", head: method == "HEAD"}
	r.html = s.options.Develop && wantsHTML(environ)
	if s.capacity() == 1 {
		p.path = append(p.path[:0], environ.RawPath()...)
		r.slow = s.slow.find(p.path)
	}
	r.deferred = environ.Defer()
	r.deferred.Watch(r)
	s.submit(r)
	return r
}

// contentFailed answers a request whose content has not come whole, or cannot be kept.
func (s *Supervisor) contentFailed(start app.StartResponse, err error) app.Body {
	if errors.Is(err, errSpool) {
		s.log.Error("request content cannot be kept", "error", err)
		return answer(start, failedAnswer)
	}
	return answer(start, refusal(http.StatusBadRequest))
}

func answer(start app.StartResponse, r *app.Response) app.Body {
	start(r.Status, r.Headers)
	return app.Bytes(r.Content)
}
