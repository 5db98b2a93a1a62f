package grip

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

const (
	defaultTimeout  = 55 * time.Second // of a response hold, and between signs of life
	leastTimeout    = 5 * time.Second
	defaultInterval = 120 * time.Second // after which a next link is fetched
	maxTimeout      = 24 * time.Hour
	maxChannels     = 20
	maxFilters      = 5 // of a channel
)

// mode is how a request is held.
type mode uint8

const (
	noHold mode = iota
	responseHold
	streamHold
)

// instruct is what an application wants of a response.
type instruct struct {
	mode     mode
	channels []channel
	timeout  time.Duration // of a response hold
	alive    keepAlive
	meta     map[string]string
	next     string // the link after which a stream goes on; "": there is none
	after    time.Duration
	gone     string // the link for a client that has left
	response *app.Response
}

// channel is one that a request is subscribed to.
type channel struct {
	name    string
	prev    string // the id of the last message that the client has; "": not known
	filters []string
}

// keepAlive is the sign of life of a stream.
type keepAlive struct {
	data     []byte
	every    time.Duration // 0: none
	interval bool          // messages do not put it off
}

// instructType is the media type of instructions in JSON.
const instructType = "application/grip-instruct"

// isInstruct tells whether a response has something of GRIP.
func isInstruct(headers []app.Header) bool {
	for _, h := range headers {
		if isGrip(h.Name) || len(h.Name) == len("Content-Type") && strings.EqualFold(h.Name, "Content-Type") && mediaType(h.Value) == instructType {
			return true
		}
	}
	return false
}

func mediaType(value string) string {
	value, _, _ = strings.Cut(value, ";")
	return strings.Trim(value, " \t")
}

// ownedByServer tells whether a field is about a connection, or the coding of what is not sent as it was.
func ownedByServer(name string) bool {
	return app.HopByHop(name) || strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Content-Encoding")
}

// parse reads what an application wants. limit is how much content may become of a coding.
func parse(r *app.Response, limit int) (*instruct, error) {
	in := &instruct{}
	content, err := decoded(r, limit)
	if err != nil {
		return nil, err
	}
	timeout, err := in.parseFields(r.Headers)
	if err != nil {
		return nil, err
	}
	if in.response, err = exposed(r, content); err != nil {
		return nil, err
	}
	if kind, _ := first(r.Headers, "Content-Type"); mediaType(kind) == instructType {
		if !strings.HasPrefix(r.Status, "200") {
			return nil, errors.New("response code for " + instructType + " content must be 200")
		}
		if err := in.parseContent(content, &timeout); err != nil {
			return nil, err
		}
	}
	in.timeout = min(max(timeout, leastTimeout), maxTimeout)
	if len(in.channels) > maxChannels {
		in.channels = in.channels[:maxChannels:maxChannels]
	}
	for _, c := range in.channels {
		if len(c.filters) > maxFilters {
			return nil, fmt.Errorf("too many filters for channel '%s'", c.name)
		}
	}
	return in, nil
}

// decoded is the content of a response without its coding: what is published is not coded.
func decoded(r *app.Response, limit int) ([]byte, error) {
	if len(r.Content) == 0 { // as frameworks answer HEAD, with all of the fields
		return nil, nil
	}
	coding, _ := first(r.Headers, "Content-Encoding")
	switch strings.ToLower(coding) {
	case "", "identity":
		return r.Content, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(r.Content))
		if err != nil {
			return nil, fmt.Errorf("Content-Encoding is gzip, and the content is not: %w", err)
		}
		content, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
		if err == nil && len(content) > limit {
			err = app.ErrIntercepted
		}
		return content, err
	}
	return nil, fmt.Errorf("Content-Encoding of a response that is held may be gzip or nothing, not %s", coding)
}

// exposed is the application's response as clients may see it.
func exposed(r *app.Response, content []byte) (*app.Response, error) {
	status := r.Status
	if line, _ := first(r.Headers, "Grip-Status"); line != "" {
		text, reason, _ := strings.Cut(line, " ")
		wrong := errors.New("Grip-Status contains invalid status code")
		code, err := strconv.Atoi(text)
		if err != nil {
			return nil, wrong
		}
		if status, err = statusLine(code, reason, wrong); err != nil {
			return nil, err
		}
	}
	expose := elements(values(r.Headers, "Grip-Expose-Headers"))
	out := &app.Response{Status: status, Content: content}
	for _, h := range r.Headers {
		named := func(name string) bool { return strings.EqualFold(name, h.Name) }
		if isGrip(h.Name) || ownedByServer(h.Name) || len(expose) > 0 && !slices.ContainsFunc(expose, named) {
			continue
		}
		out.Headers = append(out.Headers, h)
	}
	return out, nil
}

// parseFields reads the fields of GRIP.
func (in *instruct) parseFields(headers []app.Header) (timeout time.Duration, err error) {
	timeout = defaultTimeout
	if hold, ok := first(headers, "Grip-Hold"); ok {
		if in.mode, ok = modes[hold]; !ok {
			return 0, errors.New("Grip-Hold must be set to either 'response' or 'stream'")
		}
	}
	for _, element := range elements(values(headers, "Grip-Channel")) {
		name, rest := parameters(element)
		c := channel{name: name}
		c.prev, _ = parameterOf(rest, "prev-id")
		for _, p := range rest {
			if p.name == "filter" {
				c.filters = append(c.filters, p.value)
			}
		}
		in.channels = append(in.channels, c)
	}
	if text, ok := first(headers, "Grip-Timeout"); ok {
		if timeout, err = seconds(text, "Grip-Timeout"); err != nil {
			return 0, err
		}
	}
	if text, ok := first(headers, "Grip-Keep-Alive"); ok {
		if in.alive, err = parseKeepAlive(text); err != nil {
			return 0, err
		}
	}
	for _, element := range elements(values(headers, "Grip-Set-Meta")) {
		p := pair(split(element, ';')[0])
		if in.meta == nil {
			in.meta = make(map[string]string)
		}
		in.meta[p.name] = p.value
	}
	return timeout, in.parseLinks(headers)
}

var modes = map[string]mode{"response": responseHold, "stream": streamHold}

// seconds reads a time.
func seconds(text, name string) (time.Duration, error) {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, errors.New("failed to parse " + name)
	case n < 0:
		return 0, errors.New(name + " has invalid value")
	}
	return time.Duration(min(n, int(maxTimeout/time.Second))) * time.Second, nil
}

func parseKeepAlive(text string) (k keepAlive, err error) {
	data, rest := parameters(text)
	if data == "" {
		return k, errors.New("Grip-Keep-Alive cannot be empty")
	}
	switch mode, _ := parameterOf(rest, "mode"); mode {
	case "", "idle":
	case "interval":
		k.interval = true
	default:
		return k, fmt.Errorf("no such Grip-Keep-Alive mode '%s'", mode)
	}
	k.every = defaultTimeout
	if text, ok := parameterOf(rest, "timeout"); ok {
		if k.every, err = seconds(text, "Grip-Keep-Alive timeout value"); err != nil {
			return k, err
		}
	}
	k.every = max(k.every, time.Second)
	switch format, _ := parameterOf(rest, "format"); format {
	case "", "raw":
		k.data = []byte(data)
	case "cstring":
		var ok bool
		if k.data, ok = unescape(data); !ok {
			return k, errors.New("failed to parse Grip-Keep-Alive cstring format")
		}
	case "base64":
		k.data = fromBase64(data)
	default:
		return k, fmt.Errorf("no such Grip-Keep-Alive format '%s'", format)
	}
	return k, nil
}

// unescape reads a string with the escapes \\, \r, \n and \xHH; a backslash before anything else is left out with it.
func unescape(text string) (b []byte, ok bool) {
	b = make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		if i++; i == len(text) {
			return nil, false
		}
		switch text[i] {
		case '\\':
			b = append(b, '\\')
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 'x':
			if i+2 >= len(text) {
				return nil, false
			}
			c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return nil, false
			}
			b = append(b, byte(c))
			i += 2
		}
	}
	return b, true
}

func (in *instruct) parseLinks(headers []app.Header) error {
	for _, element := range elements(values(headers, "Grip-Link")) {
		link, rest := parameters(element)
		if len(rest) == 0 {
			continue
		}
		if len(link) <= 2 || link[0] != '<' || link[len(link)-1] != '>' {
			return errors.New("failed to parse Grip-Link value")
		}
		link = link[1 : len(link)-1]
		if _, err := url.Parse(link); err != nil {
			return errors.New("Grip-Link contains invalid link")
		}
		switch rel, _ := parameterOf(rest, "rel"); rel {
		case "next":
			in.next, in.after = link, defaultInterval
			if text, ok := parameterOf(rest, "timeout"); ok {
				var err error
				if in.after, err = seconds(text, "Grip-Link timeout value"); err != nil {
					return err
				}
			}
		case "gone":
			in.gone = link
		}
	}
	return nil
}

// parseContent reads instructions in JSON. What they name takes the place of the fields.
func (in *instruct) parseContent(content []byte, timeout *time.Duration) error {
	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil {
		return fmt.Errorf("failed to parse %s content as JSON: %w", instructType, err)
	}
	all := object{fields, "instruct"}
	in.response = &app.Response{Status: in.response.Status}
	hold, ok, err := all.object("hold", "hold")
	if err != nil {
		return err
	}
	if ok {
		if err := in.parseHold(hold, timeout); err != nil {
			return err
		}
	}
	response, ok, err := all.object("response", "response")
	if !ok {
		return err
	}
	if in.response.Status, err = response.status(200); err != nil {
		return err
	}
	if in.response.Headers, err = response.headers(); err != nil {
		return err
	}
	in.response.Content, _, err = response.content("body")
	return err
}

func (in *instruct) parseHold(hold object, timeout *time.Duration) error {
	name, err := hold.text("mode", false)
	if err != nil {
		return err
	}
	in.mode = responseHold
	if name != "" {
		var ok bool
		if in.mode, ok = modes[name]; !ok {
			return errors.New("hold 'mode' must be set to either 'response' or 'stream'")
		}
	}
	list, err := hold.list("channels", true)
	if err != nil {
		return err
	}
	for _, v := range list {
		c, err := parseChannel(v)
		if err != nil {
			return err
		}
		in.channels = append(in.channels, c)
	}
	if n, ok, err := hold.number("timeout"); err != nil {
		return err
	} else if ok {
		*timeout = time.Duration(min(n, int(maxTimeout/time.Second))) * time.Second
	}
	if alive, ok, err := hold.object("keep-alive", "keep-alive"); err != nil {
		return err
	} else if ok {
		if in.alive.data, _, err = alive.content("content"); err != nil {
			return err
		}
		in.alive.every = defaultTimeout
		if n, ok, err := alive.number("timeout"); err != nil {
			return err
		} else if ok {
			in.alive.every = time.Duration(min(max(n, 1), int(maxTimeout/time.Second))) * time.Second
		}
	}
	meta, err := hold.texts("meta")
	if err == nil && len(meta) > 0 {
		if in.meta == nil {
			in.meta = make(map[string]string)
		}
		maps.Copy(in.meta, meta)
	}
	return err
}

func parseChannel(v any) (c channel, err error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return c, errors.New("channel is not an object")
	}
	o := object{fields, "channel"}
	if c.name, err = o.text("name", true); err != nil {
		return c, err
	}
	if c.prev, err = o.text("prev-id", false); err != nil {
		return c, err
	}
	filters, err := o.list("filters", false)
	if err != nil {
		return c, err
	}
	for _, f := range filters {
		name, ok := f.(string)
		if !ok {
			return c, errors.New("filters contains value with wrong type")
		}
		c.filters = append(c.filters, name)
	}
	return c, nil
}
