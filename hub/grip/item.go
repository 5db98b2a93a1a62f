package grip

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weirhttp/weir/app"
)

// item is a message of a channel.
type item struct {
	channel  string
	id, prev string // "": none
	meta     map[string]string
	noSeq    bool
	response *format // for response holds; nil: not for them
	stream   *format // for streams
}

// format is what becomes of an item for one kind of hold.
type format struct {
	action  action
	status  string
	headers []app.Header
	content []byte
	filters []string // that the subscription must have, those of content; nil: any
}

type action uint8

const (
	send action = iota
	closes
	hint
	ignored // an action that concerns WebSockets alone
)

var actions = map[string]action{"": send, "send": send, "close": closes, "hint": hint, "refresh": ignored}

// parseItem reads an item of a publish request. The texts of errors are those of Pushpin.
func parseItem(v any) (*item, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("publish item object is not an object")
	}
	o := object{fields, "publish item object"}
	it := &item{}
	var err error
	if it.channel, err = o.text("channel", true); err != nil {
		return nil, err
	}
	if it.id, err = o.text("id", false); err != nil {
		return nil, err
	}
	if it.prev, err = o.text("prev-id", false); err != nil {
		return nil, err
	}
	formats, ok, err := o.object("formats", "formats")
	if err != nil {
		return nil, err
	}
	if !ok { // the older form has them beside the channel
		formats = object{map[string]any{}, "formats"}
		for _, name := range []string{"http-response", "http-stream", "ws-message"} {
			if v, ok := fields[name]; ok {
				formats.fields[name] = v
			}
		}
	}
	if len(formats.fields) == 0 {
		return nil, errors.New("no formats specified")
	}
	if v, ok := formats.fields["http-response"]; ok {
		if it.response, err = parseFormat(v, "'http-response'", "body"); err != nil {
			return nil, err
		}
	}
	if v, ok := formats.fields["http-stream"]; ok {
		if it.stream, err = parseFormat(v, "'http-stream'", "content"); err != nil {
			return nil, err
		}
	}
	if v, ok := formats.fields["ws-message"]; ok {
		if _, ok := v.(map[string]any); !ok {
			return nil, errors.New("'ws-message' is not an object")
		}
	}
	if it.meta, err = o.texts("meta"); err != nil {
		return nil, err
	}
	if v, ok := fields["no-seq"]; ok {
		if it.noSeq, ok = v.(bool); !ok {
			return nil, o.wrongType("no-seq")
		}
	}
	return it, nil
}

// parseFormat reads a format whose content is called content.
func parseFormat(v any, name, content string) (*format, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(name + " is not an object")
	}
	o := object{fields, name}
	f := &format{}
	text, err := o.text("action", false)
	if err != nil {
		return nil, err
	}
	if f.action, ok = actions[text]; !ok {
		return nil, errors.New("")
	}
	if f.action != send {
		return f, nil
	}
	if content == "body" {
		if f.status, err = o.status(200); err != nil {
			return nil, err
		}
		if f.headers, err = o.headers(); err != nil {
			return nil, err
		}
	}
	if list, ok := fields["content-filters"]; ok {
		names, is := list.([]any)
		if !is {
			return nil, o.wrongType("content-filters")
		}
		f.filters = []string{}
		for _, v := range names {
			s, is := v.(string)
			if !is {
				return nil, errors.New("content-filters contains element with wrong type")
			}
			f.filters = append(f.filters, s)
		}
	}
	if f.content, ok, err = o.content(content); err != nil {
		return nil, err
	}
	if !ok && content == "body" {
		if _, patch := fields["body-patch"]; patch {
			return nil, errors.New("'http-response' contains 'body-patch', which is not supported")
		}
		return nil, errors.New("'http-response' does not contain 'body', 'body-bin', or 'body-patch'")
	}
	if !ok {
		return nil, fmt.Errorf("%s does not contain '%s' or '%s-bin'", name, content, content)
	}
	return f, nil
}

// decode reads an item as it was published.
func decode(data []byte) (*item, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return parseItem(v)
}
