package grip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weirhttp/weir/hub"
)

// Publisher returns the handler of POST /publish/, which answers at / too. It belongs on an address that only those reach who may publish. With a key
// a request may have a token, "Authorization: Bearer ...", and one that is wrong is answered with 403; required has requests without one refused.
func (p *Proxy) Publisher(required bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := p.control(r, required)
		if answer.code == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "POST")
		}
		w.Header().Set("Content-Type", "text/plain")
		if answer.json {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(answer.code)
		_, _ = io.WriteString(w, answer.text)
	})
}

// controlAnswer is the answer to one who publishes.
type controlAnswer struct {
	code int
	text string
	json bool
}

// control answers a request.
func (p *Proxy) control(r *http.Request, required bool) controlAnswer {
	asJSON, ok := accepted(r.Header.Values("Accept"))
	if !ok {
		return controlAnswer{code: http.StatusNotAcceptable, text: "Not Acceptable. Supported formats are text/plain and application/json.\n"}
	}
	switch path := r.URL.Path; {
	case path == "/":
		return controlAnswer{code: http.StatusOK, text: "weir GRIP API\n"}
	case strings.TrimSuffix(path, "/") != "/publish":
		return controlAnswer{code: http.StatusNotFound, text: "Not Found\n"}
	case r.Method != http.MethodPost:
		return controlAnswer{code: http.StatusMethodNotAllowed, text: "Method not allowed: " + r.Method + ".\n"}
	case !p.may(r, required):
		return controlAnswer{code: http.StatusForbidden, text: "The token is missing, or not valid.\n"}
	}
	content, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, p.options.MaxPublish))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return controlAnswer{code: http.StatusRequestEntityTooLarge, text: "The request is too large.\n"}
	case err != nil:
		return controlAnswer{code: http.StatusBadRequest, text: "The content has not come whole.\n"}
	}
	switch err := p.Publish(content); {
	case errors.Is(err, errFormat):
		return controlAnswer{code: http.StatusBadRequest, text: err.Error() + "\n"}
	case errors.Is(err, hub.ErrTooLarge), errors.Is(err, hub.ErrTopic):
		return controlAnswer{code: http.StatusBadRequest, text: "Invalid format: " + err.Error() + "\n"}
	case err != nil:
		p.log.Error("publishing has failed", "error", err)
		return controlAnswer{code: http.StatusServiceUnavailable, text: "The hub is not available.\n"}
	}
	if asJSON {
		return controlAnswer{code: http.StatusOK, text: `{"message":"Published"}` + "\n", json: true}
	}
	return controlAnswer{code: http.StatusOK, text: "Published\n"}
}

// accepted tells whether one who publishes wants JSON; ok is false when it wants neither JSON nor text. The last type that there is counts.
func accepted(fields []string) (asJSON, ok bool) {
	ok = len(fields) == 0
	for _, element := range elements(fields) {
		switch mediaType(element) {
		case "text/plain", "text/*", "*/*", "*":
			asJSON, ok = false, true
		case "application/json", "application/*":
			asJSON, ok = true, true
		}
	}
	return asJSON, ok
}

// may tells whether a request may publish.
func (p *Proxy) may(r *http.Request, required bool) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || len(p.options.Key) == 0 {
		return !required
	}
	return p.signer.verify(strings.TrimSpace(token)) == nil
}

// formatError is what is wrong with a publish request.
type formatError struct{ text string }

func (e *formatError) Error() string        { return e.text }
func (e *formatError) Is(target error) bool { return target == errFormat }

var errFormat = errors.New("grip: malformed")

// Publish publishes the items of a publish request, {"items":[...]}. Either all are well-formed, or none is published. An error of the hub leaves
// those before it published.
func (p *Proxy) Publish(content []byte) error {
	if !json.Valid(content) {
		return &formatError{"Body is not valid JSON."}
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(content, &all) != nil || all == nil {
		return &formatError{"Invalid format."}
	}
	list, ok := all["items"]
	if !ok {
		return &formatError{"Invalid format: object does not contain 'items'"}
	}
	var raw []json.RawMessage
	if json.Unmarshal(list, &raw) != nil || raw == nil {
		return &formatError{"Invalid format: object contains 'items' with wrong type"}
	}
	messages := make([]message, 0, len(raw))
	for _, data := range raw {
		it, err := decode(data)
		if err != nil {
			return &formatError{fmt.Sprintf("Invalid format: %v", err)}
		}
		messages = append(messages, message{it, data})
	}
	for _, m := range messages {
		if err := p.shard(m.channel).publish(m); err != nil {
			return err
		}
	}
	return nil
}
