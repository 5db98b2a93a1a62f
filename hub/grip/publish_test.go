package grip_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/grip"
)

// token is a token of a publisher.
func token(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

// TestTokens: a token that is there has to be right, and may have to be there.
func TestTokens(t *testing.T) {
	later := jwt.MapClaims{"iss": "example", "exp": time.Now().Add(time.Hour).Unix()}
	right := token(t, jwt.SigningMethodHS256, []byte(key), later)
	for _, c := range []struct {
		name, token string
		key         string
		required    bool
		want        int
	}{
		{"none", "", key, false, 200},
		{"none, and one is required", "", key, true, 403},
		{"right", right, key, false, 200},
		{"right and required", right, key, true, 200},
		{"of another key", token(t, jwt.SigningMethodHS256, []byte("other"), later), key, false, 403},
		{"too old", token(t, jwt.SigningMethodHS256, []byte(key), jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}), key, false, 403},
		{"without an end", token(t, jwt.SigningMethodHS256, []byte(key), jwt.MapClaims{"iss": "example"}), key, false, 403},
		{"not signed", token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, later), key, false, 403},
		{"of another method", token(t, jwt.SigningMethodHS512, []byte(key), later), key, false, 403},
		{"nonsense", "Bearer x", key, false, 403},
		{"without a key to verify it", "Bearer x", "", false, 200},
		{"password", "Basic eDp5", key, true, 403},
	} {
		topics := hub.New(hub.Options{})
		r := httptest.NewRequest("POST", "/publish/", strings.NewReader(`{"items":[]}`))
		r.Header.Set("Authorization", c.token)
		w := httptest.NewRecorder()
		grip.New(topics, grip.Options{Key: []byte(c.key)}).Publisher(c.required).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
		_ = topics.Close()
	}
}

// TestPublishLimits: what is too large is refused, and nothing of it is published; so is everything when the hub has closed.
func TestPublishLimits(t *testing.T) {
	topics := hub.New(hub.Options{})
	publisher := grip.New(topics, grip.Options{MaxPublish: 100_000}).Publisher(false)
	publish := func(body string) (code int, text string) {
		w := httptest.NewRecorder()
		publisher.ServeHTTP(w, httptest.NewRequest("POST", "/publish/", strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	item := func(channel string, size int) string {
		return fmt.Sprintf(`{"items":[{"channel":%q,"http-stream":{"content":%q}}]}`, channel, strings.Repeat("x", size))
	}
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"request", item("a", 100_000), 413},
		{"item", item("a", 70_000), 400},
		{"name of a channel", item(strings.Repeat("a", 196), 1), 400},
		{"name of a channel that is allowed", item(strings.Repeat("a", 195), 1), 200},
		{"one of two", `{"items":[{"channel":"a","http-stream":{"content":"x"}},{"channel":"a"}]}`, 400},
		{"field of an answer", `{"items":[{"channel":"a","http-response":{"body":"","headers":{"X-A":"b\r\nX-C: d"}}}]}`, 400},
	} {
		if code, text := publish(c.body); code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, code, text, c.want)
		}
	}
	if n := topics.Stats().Published; n != 1 {
		t.Errorf("%d messages were published, want 1", n)
	}
	_ = topics.Close()
	if code, _ := publish(item("b", 1)); code != 503 {
		t.Errorf("closed: %d", code)
	}
}

// TestPendingLimit: messages that wait for others are bounded, and come in the end.
func TestPendingLimit(t *testing.T) {
	t.Parallel()
	w := serve(t, grip.Options{MessageWait: 2 * time.Second}, nethttp.Application(http.HandlerFunc(instructions)))
	r := w.get(t, "/stream?channel=a").response()
	expect(t, r.Body, "open\n")
	w.held(t, "a", 1)
	w.publish(`{"channel":"a","id":"0","http-stream":{"content":"first\n"}}`)
	expect(t, r.Body, "first\n")
	var items []string
	for i := range grip.MaxPending + 10 {
		items = append(items, fmt.Sprintf(`{"channel":"a","id":"x%d","prev-id":"p%d","http-stream":{"content":"waited\n"}}`, i, i))
	}
	w.publish(strings.Join(items, ","))
	expect(t, r.Body, strings.Repeat("waited\n", grip.MaxPending))
	w.publish(`{"channel":"a","http-stream":{"content":"last\n"}}`)
	expect(t, r.Body, "last\n")
}

// moody is a store that can be told to take nothing.
type moody struct {
	*hub.Memory
	refuses atomic.Bool
}

func (s *moody) Append(topic string, data []byte) (id uint64, reached int, err error) {
	if s.refuses.Load() {
		return 0, 0, errors.New("test")
	}
	return s.Memory.Append(topic, data)
}

// TestRefusedPredecessor: messages that were taken, and wait for one that the hub does not take at first, come behind that.
func TestRefusedPredecessor(t *testing.T) {
	store := &moody{Memory: hub.NewMemory(hub.MemoryOptions{})}
	w := serveWith(t, hub.New(hub.Options{Store: store}), grip.Options{MessageWait: time.Hour}, nethttp.Application(http.HandlerFunc(instructions)))
	r := w.get(t, "/stream?channel=a").response()
	expect(t, r.Body, "open\n")
	w.held(t, "a", 1)
	item := func(id int) string {
		return fmt.Sprintf(`{"channel":"a","id":"%d","prev-id":"%d","http-stream":{"content":"%d\n"}}`, id, id-1, id)
	}
	w.publish(strings.Join([]string{item(1), item(3), item(4)}, ","))
	expect(t, r.Body, "1\n")
	store.refuses.Store(true)
	if err := w.proxy.Publish([]byte(`{"items":[` + item(2) + `]}`)); err == nil {
		t.Fatal("the hub takes it")
	}
	store.refuses.Store(false)
	w.publish(item(2))
	expect(t, r.Body, "2\n3\n4\n")
}

// TestLingers: after a response hold the channel's last id is known for a while, so that the client that comes back learns what it has missed.
func TestLingers(t *testing.T) {
	w := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Grip-Last") == "a; last-id=1" {
			_ = json.NewEncoder(w).Encode("caught up")
			return
		}
		w.Header().Set("Grip-Hold", "response")
		w.Header().Set("Grip-Channel", "a; prev-id=1")
	})
	c := w.get(t, "/")
	w.held(t, "a", 1)
	w.publish(`{"channel":"a","id":"2","prev-id":"1","http-response":{"body":"two"}}`)
	if _, content := c.answer(); content != "two" {
		t.Errorf("%q", content)
	}
	if _, content := w.get(t, "/").answer(); content != "\"caught up\"\n" { // it knows 1, and the channel is at 2
		t.Errorf("%q", content)
	}
}
