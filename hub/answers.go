package hub

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"github.com/weirhttp/weir/app"
)

// noStore keeps answers out of caches: what a topic has is news only once.
var noStore = app.Header{Name: "Cache-Control", Value: "no-store"}

var (
	textHeaders  = []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, noStore}
	jsonHeaders  = []app.Header{{Name: "Content-Type", Value: "application/json"}, noStore}
	emptyHeaders = []app.Header{noStore}
	// X-Accel-Buffering has nginx pass messages on as they come.
	bareHeaders  = []app.Header{noStore, {Name: "X-Accel-Buffering", Value: "no"}}
	eventHeaders = append([]app.Header{{Name: "Content-Type", Value: "text/event-stream"}}, bareHeaders...)
)

// nothing is the answer to a poll whose client's position has not changed.
var nothing = &app.Response{Status: "204 No Content", Headers: emptyHeaders}

// unavailable is the answer when the hub is closed, or its store does not answer.
var unavailable = textAnswer("503 Service Unavailable", "the hub is not available\n",
	app.Header{Name: "Retry-After", Value: "1"})

func textAnswer(status, text string, more ...app.Header) *app.Response {
	return &app.Response{Status: status, Headers: slices.Concat(textHeaders, more), Content: []byte(text)}
}

func badRequest(format string, args ...any) *app.Response {
	return textAnswer("400 Bad Request", fmt.Sprintf(format, args...)+"\n")
}

// gone is the answer to a client whose position the history does not reach.
func gone(page Page) *app.Response {
	return jsonAnswer("410 Gone", struct {
		Error  string `json:"error"`
		Oldest uint64 `json:"oldest"`
		Newest uint64 `json:"newest"`
	}{"messages after since are gone", page.Oldest, page.Last})
}

// answer is r as the result of an application.
func answer(environ *app.Environ, start app.StartResponse, r *app.Response) app.Body {
	start(r.Status, r.Headers)
	return environ.Bytes(r.Content)
}

// LastID is the field of an answer to a poll that has waited in vain which has the position of its topics, for the next
// poll.
const LastID = "Hub-Last-Id"

// position is the answer to polls that waited in vain, when id was the position.
type position struct {
	own      *app.Response // without the position
	id       uint64
	made     time.Time
	response *app.Response
}

// positionAge is for how long a position is good for answers that begin to wait: a client whose own position is not
// older needs none. It is what keeps the answers of a million that wait to few.
const positionAge = time.Second

// inVain is the answer to a poll that gets no message. last is the position of its topics.
func (h *Hub) inVain(hold *Hold, last uint64) *app.Response {
	own := hold.Response
	if own == nil {
		own = nothing
	}
	now := time.Now()
	place := &h.positions[maphash.Comparable(h.seed, own)%uint64(len(h.positions))]
	p := place.Load()
	if p == nil || p.own != own || p.id > last || !hold.Told && p.id != last || now.Sub(p.made) > positionAge {
		told := *own
		told.Headers = slices.Concat(own.Headers, []app.Header{{Name: LastID, Value: strconv.FormatUint(last, 10)}})
		p = &position{own, last, now, &told}
		place.Store(p)
	}
	if hold.Told && hold.Since >= p.id {
		return own
	}
	return p.response
}
