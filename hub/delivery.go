package hub

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
)

// delivery is a message on its way to those that wait for it. What they are sent is rendered by the first that needs it,
// for all that are held alike. Any goroutine.
type delivery struct {
	message Message

	rendered atomic.Pointer[rendered]
	stream   sync.Once
	event    []byte
	socket   sync.Once
	frame    *websocket.Prepared
}

// arrived is what the store calls for each message.
func (h *Hub) arrived(m Message) (reached int) {
	if m.ID == 0 {
		h.lookAgain()
		return 0
	}
	h.published.Add(1)
	if f := h.observer.Load(); f != nil {
		(*f)(m)
	}
	reached = h.shard(m.Topic).take(m.Topic, m)
	if h.patterns != nil {
		reached += h.patterns.take(h, m)
	}
	return reached
}

// chunk is the event that a stream of one topic is sent.
func (d *delivery) chunk() []byte {
	d.stream.Do(func() { d.event = appendEvent(nil, d.message, false) })
	return d.event
}

// prepared is what WebSockets are sent: all of them share it.
func (d *delivery) prepared() *websocket.Prepared {
	d.socket.Do(func() { d.frame = prepare(d.message) })
	return d.frame
}

// messageAnswer renders a message as the answer to a poll.
func messageAnswer(m Message) *app.Response {
	object := struct {
		ID     uint64  `json:"id"`
		Topic  string  `json:"topic"`
		Data   *string `json:"data,omitempty"`
		Base64 []byte  `json:"base64,omitempty"`
	}{ID: m.ID, Topic: m.Topic}
	if utf8.Valid(m.Data) {
		text := string(m.Data)
		object.Data = &text
	} else {
		object.Base64 = m.Data
	}
	return jsonAnswer("200 OK", object)
}

// jsonAnswer is an answer with an object, in a line.
func jsonAnswer(status string, object any) *app.Response {
	content, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return &app.Response{Status: status, Headers: jsonHeaders, Content: append(content, '\n')}
}

// appendEvent appends a message as an event of a stream. named has the topic as the event's type. A line may end with
// CRLF, LF or CR; the client sees LF.
func appendEvent(b []byte, m Message, named bool) []byte {
	b = strconv.AppendUint(append(b, "id: "...), m.ID, 10)
	if named {
		b = append(append(b, "\nevent: "...), m.Topic...)
	}
	data := string(m.Data)
	for {
		end := strings.IndexAny(data, "\r\n")
		b = append(b, "\ndata: "...)
		if end < 0 {
			break
		}
		b = append(b, data[:end]...)
		if strings.HasPrefix(data[end:], "\r\n") {
			end++
		}
		data = data[end+1:]
	}
	return append(append(b, data...), "\n\n"...)
}
