package hub

import (
	"sync"

	"github.com/weirhttp/weir/app"
)

// Poll returns the application of long-polls: GET of prefix and the name of a topic, "/poll/" for one. More topics,
// or all, are named by parameters "topic". With Options.Wildcards they may be patterns.
//
// With the parameter since, the id of the last message that the client has, it answers with the message after that:
// 200 and
//
//	{"id":12,"topic":"chat","data":"text"}
//
// A message that is not UTF-8 has its octets in "base64" instead of "data". When there is no message, it waits for
// one, for timeout seconds. since=0 stands for the beginning of what the history has. Without since it waits for the
// next message from now on.
//
// When the time has passed it answers 204. Where that has a field Hub-Last-Id, its value is what the client polls
// with next, so that it misses nothing in between; else it goes on with its since. 410 and
//
//	{"error":"...","oldest":3,"newest":11}
//
// tell a client that was away for too long, or whose id is of an earlier process, which messages there are: with a
// since of one less than oldest it gets them all, with newest those to come. 503 with Retry-After tells that the hub
// closes.
func (h *Hub) Poll(prefix string) app.Application {
	return h.front(func(environ *app.Environ) (hold Hold, refusal *app.Response) {
		hold, q, refusal := h.parse(environ, prefix, "GET")
		if since, ok := q.value("since"); ok && refusal == nil {
			refusal = hold.readSince(since)
		}
		if refusal == nil {
			hold.Timeout, refusal = h.timeout(q)
		}
		return hold, refusal
	})
}

// poll is a held poll: all that one takes, but for its Deferred.
type poll struct {
	single link // when it waits for one topic; else its shard is that of the first. Its waiter is the poll, or heldPoll
	mu     sync.Mutex

	// Guarded by mu.
	deferred app.Deferred // nil: the poll has ended, by the one who took it
	since    uint64
}

// heldPoll is a poll that waits for several topics or a pattern, or whose answers are not those of Poll. That most do neither, and a
// million of them may wait, is why these are not fields of a poll.
type heldPoll struct {
	poll
	own  *app.Response
	more *more // nil: nothing of it
}

// more is what few of them have.
type more struct {
	places places // when there are several topics, or a pattern
	bare   bool
}

// justBare is for those that wait for one topic.
var justBare = &more{bare: true}

// held is p as a heldPoll; nil: it is none.
func (p *poll) held() *heldPoll {
	l, _ := p.single.waiter.(*heldPoll)
	return l
}

// poll has d answered with the next message of the topics after since.
func (h *Hub) poll(d app.Deferred, hold *Hold, since uint64) {
	var p *poll
	several := len(hold.Topics) > 1 || isPatternKey(hold.Topics[0])
	if f := hold.form(); several || f != (form{}) {
		l := &heldPoll{own: f.own}
		p = &l.poll
		p.single.waiter = l
		switch {
		case several:
			l.more = &more{h.places(hold.Topics, p), f.bare}
			h.patterns.add(hold.Topics)
		case f.bare:
			l.more = justBare
		}
	} else {
		p = new(poll)
		p.single.waiter = p
	}
	p.deferred, p.since = d, since
	p.single.shard = h.shard(hold.Topics[0])
	h.polls.Add(1)
	d.Watch(p)
	p.mu.Lock()
	p.wait(hold.Topics)
}

// places are the links of a poll of several topics or a pattern; nil: it waits for one topic.
func (p *poll) places() *places {
	if l := p.held(); l != nil && l.more != nil && l.more.places.topics != nil {
		return &l.more.places
	}
	return nil
}

func (p *poll) form() (f form) {
	if l := p.held(); l != nil {
		f = form{l.own, l.more != nil && l.more.bare}
	}
	return f
}

// wait links p to its topics, and answers when there is a message already. mu is held, and released.
func (p *poll) wait(topics []string) {
	if p.deferred == nil {
		p.mu.Unlock()
		return
	}
	if places := p.places(); places == nil {
		p.single.shard.link(&p.single, topics[0], p.deferred.Executor())
	} else {
		places.link(p.deferred.Executor())
	}
	page, refusal := p.hub().look(topics, p.since, 1)
	switch {
	case refusal != nil:
		_ = p.end().Answer(p.form().dress(refusal))
	case len(page.Messages) > 0:
		_ = p.end().Answer(p.form().render(page.Messages[0]))
	default:
		p.since = max(p.since, page.Last)
		p.mu.Unlock()
	}
}

// wake implements waiter. With mu it knows that hold, or an earlier wake, has found nothing after since: the message
// for which the link was taken is the next one of its topic.
func (p *poll) wake(d *delivery) {
	p.mu.Lock()
	switch {
	case p.deferred == nil:
		p.mu.Unlock()
	case p.places() != nil:
		p.wait(p.places().topics) // another topic may have an earlier one
	case d.message.ID <= p.since:
		p.wait([]string{d.message.Topic})
	default:
		_ = p.end().Answer(d.answer(p.form())) // ErrGone: the client will ask again from its since
	}
}

// end ends p. The Deferred is the caller's, nil when p has ended before. mu is held, and released: a Deferred is not
// called with it.
func (p *poll) end() app.Deferred {
	d := p.deferred
	p.deferred = nil
	p.mu.Unlock()
	if d == nil {
		return nil
	}
	p.hub().polls.Add(-1)
	p.single.unlink()
	if places := p.places(); places != nil {
		places.unlink()
		p.hub().patterns.remove(places.topics)
	}
	return d
}

func (p *poll) hub() *Hub { return p.single.shard.hub }

// Left implements app.Watcher.
func (p *poll) Left() {
	p.mu.Lock()
	p.end()
}

// Drained implements app.Watcher.
func (p *poll) Drained() {}
