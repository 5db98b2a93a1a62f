package hub

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirhttp/weir/app"
)

// ErrHold is what Hold returns for a Hold that makes no sense; the text of the error says why.
var ErrHold = errors.New("hub: a request cannot be held")

// Hold says how a request is held: for what it waits, and how it is answered. Topics alone will do.
type Hold struct {
	// Topics are what the request waits for. The names are kept while it waits.
	Topics []string
	// Since is the id of the last message that the client knows, 0 the beginning of what the history has. It counts
	// if Told is set: else the client is told of what comes from now on.
	Since uint64
	Told  bool
	// Wildcards says that Topics may be patterns: see Options.Wildcards. Without it they are names, whatever is in them.
	Wildcards bool

	// Timeout is how long a request waits for a message: 0 for Options.PollTimeout, less for not at all. Streams have
	// none.
	Timeout time.Duration
	// Stream has the request get each message as it comes, and not only the first.
	Stream bool
	// Head says that the method of the request is HEAD: a stream that answers it ends with its head.
	Head bool
	// Response is what the client gets after Timeout, with the field LastID when Poll would have it; or what a stream
	// begins with. Its fields go with all other answers, too, those aside that describe its content. Requests with the
	// same Response share what is made of a message. nil: the client is answered as by Poll or Events.
	Response *app.Response
	// Format is what the client gets of a message. Default: FormatJSON, for streams FormatEvents.
	Format Format
}

// Format is what a client gets of a message.
type Format string

const (
	// FormatJSON is for requests that wait for one message: 200 with the object that Poll answers with.
	FormatJSON Format = "json"
	// FormatEvents is for streams: text/event-stream, as Events sends it.
	FormatEvents Format = "events"
	// FormatData is for both: the message itself. Its Content-Type is that of Response. Such a stream has neither ids
	// nor signs of life.
	FormatData Format = "data"
)

// Hold answers d, a request that was deferred and whose response has not begun, with the messages of topics. It waits
// for nobody. What the client is to know is an answer and no error: messages that are there already, 410 as for Poll
// when Since is too old, 503 when the store does not answer. The hub is d's Watcher from now on.
//
// After an error, which is ErrClosed or wraps ErrHold, d is the caller's as it was.
func (h *Hub) Hold(d app.Deferred, hold Hold) error {
	if h.released.Load() {
		return ErrClosed
	}
	if err := h.check(&hold); err != nil {
		return fmt.Errorf("%w: %w", ErrHold, err)
	}
	last, r := h.atOnce(&hold)
	if r != nil {
		_ = d.Answer(r) // ErrGone: the client has left
		return nil
	}
	h.hold(d, &hold, last)
	return nil
}

// check sees to what was given. Topics that are named twice count once, and are keys then.
func (h *Hub) check(hold *Hold) error {
	var topics []string
	for _, name := range hold.Topics {
		topics = appendTopic(topics, name)
	}
	hold.Topics = topics
	if hold.Wildcards && h.patterns == nil {
		return errors.New("wildcards are off (Options.Wildcards)")
	}
	if err := h.checkTopics(topics, hold.Wildcards); err != nil {
		return err
	}
	hold.Topics = hold.keys()
	most := h.options.MaxPollTimeout
	switch {
	case hold.Stream && hold.Timeout != 0:
		return errors.New("a stream has no timeout")
	case hold.Timeout > most:
		return fmt.Errorf("timeout is %v, and may be %v (Options.MaxPollTimeout)", hold.Timeout, most)
	case hold.Timeout == 0:
		hold.Timeout = h.options.PollTimeout
	}
	if r := hold.Response; hold.Stream && r != nil && !r.HasContent() {
		return fmt.Errorf("the status of a stream is %q, which has no content", r.Status)
	}
	switch {
	case hold.Format == "" || hold.Format == FormatData:
	case hold.Stream && hold.Format != FormatEvents:
		return fmt.Errorf("the format of a stream is %q, and may be %q or %q", hold.Format, FormatEvents, FormatData)
	case !hold.Stream && hold.Format != FormatJSON:
		return fmt.Errorf("the format is %q, and may be %q or %q where one message is waited for", hold.Format, FormatJSON, FormatData)
	}
	return nil
}

// appendTopic appends a name, unless it is there.
func appendTopic(topics []string, name string) []string {
	if slices.Contains(topics, name) {
		return topics
	}
	return append(topics, name)
}

// checkTopics tells what is wrong with the topics that a request names.
func (h *Hub) checkTopics(topics []string, wildcards bool) error {
	switch {
	case len(topics) == 0:
		return errors.New("the request names no topic")
	case len(topics) > h.options.MaxTopics:
		return fmt.Errorf("a request may name %d topics", h.options.MaxTopics)
	}
	patterns := 0
	for _, name := range topics {
		if !h.validTopic(name) {
			return fmt.Errorf("a topic's name must be UTF-8 without control characters, of 1 to %d octets", h.options.MaxTopicName)
		}
		if wildcards && isPattern(name) {
			if patterns++; patterns > maxPatterns {
				return fmt.Errorf("a request may name %d topics with wildcards", maxPatterns)
			}
			if err := CheckPattern(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// atOnce is the answer to a request that need not be held. Else the answer is nil, and last the position of the topics:
// Since is it when the client has told none.
func (h *Hub) atOnce(hold *Hold) (last uint64, answer *app.Response) {
	limit := 1
	if hold.Stream || !hold.Told {
		limit = 0
	}
	if !hold.Told {
		hold.Since = 0 // is never too old
	}
	f := hold.form()
	page, refusal := h.look(hold.Topics, hold.Since, limit)
	if refusal != nil {
		return 0, f.dress(refusal)
	}
	if len(page.Messages) > 0 {
		return 0, f.render(page.Messages[0])
	}
	if !hold.Told {
		hold.Since = page.Last
	}
	if hold.Timeout < 0 {
		return 0, h.inVain(hold, page.Last)
	}
	return page.Last, nil
}

// hold holds a request that atOnce has no answer to.
func (h *Hub) hold(d app.Deferred, hold *Hold, last uint64) {
	switch {
	case hold.Stream && hold.Head:
		if err := d.Start(hold.form().head()); err != nil {
			d.Abort(err)
		}
		_ = d.Close()
		return
	case hold.Stream:
		h.stream(&response{d, hold.form(), h.options.Retry, len(hold.Topics) > 1 || isPatternKey(hold.Topics[0])}, hold)
		return
	}
	d.SetDeadline(hold.Timeout, h.inVain(hold, last))
	h.poll(d, hold, max(hold.Since, last))
}

// look reads what topics, by their keys, have after since. refusal is the answer when that cannot be told.
func (h *Hub) look(topics []string, since uint64, limit int) (page Page, refusal *app.Response) {
	page, err := h.read(topics, since, limit)
	switch {
	case errors.Is(err, ErrWildcards):
		return page, badRequest("the store of this hub has no wildcards")
	case err != nil || h.released.Load():
		return page, unavailable
	case page.Gone:
		return page, gone(page)
	}
	return page, nil
}

// front is the application that answers requests as parse reads them.
func (h *Hub) front(parse func(environ *app.Environ) (Hold, *app.Response)) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		hold, r := parse(environ)
		var last uint64
		if r == nil {
			hold.Topics = hold.keys()
			last, r = h.atOnce(&hold)
		}
		if r != nil {
			return answer(environ, start, r)
		}
		h.hold(environ.Defer(), &hold, last)
		return nil
	}
}
