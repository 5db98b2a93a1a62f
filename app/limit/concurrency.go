package limit

import (
	"errors"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
)

// ConcurrencyOptions say how many requests there are at a time. One counts from the call of the application until its answer has ended: a client
// that waits for a deferred answer, or reads a stream slowly, counts as well.
type ConcurrencyOptions struct {
	// Max is how many there are in all, MaxPerKey how many of one key; 0: any number.
	Max, MaxPerKey int
	// Key tells whose request it is. Default: ByAddress.
	Key Key
	// RetryAfter is what the client is told. Default: a second.
	RetryAfter time.Duration
	// Status is that of the answer to a request too many. Default: 503 Service Unavailable.
	Status string
}

// Concurrency returns application with a limit to the number of requests at a time. An error names the field of the options that is wrong.
func Concurrency(application app.Application, options ConcurrencyOptions) (app.Application, error) {
	switch {
	case options.Max < 0 || options.MaxPerKey < 0:
		return nil, errors.New("limit: ConcurrencyOptions.Max and MaxPerKey must be 1 or more, or 0 for any number")
	case options.Max == 0 && options.MaxPerKey == 0:
		return nil, errors.New("limit: ConcurrencyOptions has neither Max nor MaxPerKey")
	}
	status, err := statusOf("ConcurrencyOptions", options.Status)
	if err != nil {
		return nil, err
	}
	key := options.Key
	if key == nil {
		key = ByAddress
	}
	if options.MaxPerKey == 0 {
		key = func(*app.Environ) string { return "" }
	}
	p := &places{most: options.Max, mostOfOne: options.MaxPerKey, of: make(map[string]int)}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		who := key(environ)
		if !p.enter(who) {
			return refuse(start, status, options.RetryAfter)
		}
		return app.OnEnd(application, environ, start, func() { p.leave(who) })
	}, nil
}

// places are those that requests have. There are as many keys in it as there are requests, at most.
type places struct {
	most, mostOfOne int // 0: any number

	mu  sync.Mutex // guards what follows
	all int
	of  map[string]int
}

func (p *places) enter(who string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 && p.all >= p.most || p.mostOfOne > 0 && p.of[who] >= p.mostOfOne {
		return false
	}
	p.all++
	p.of[who]++
	return true
}

func (p *places) leave(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.of[who]--; p.of[who] == 0 {
		delete(p.of, who)
	}
}
