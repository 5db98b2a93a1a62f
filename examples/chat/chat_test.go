package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/hub"
)

// TestChat is the chat without a browser; .ci/browser has the one with.
func TestChat(t *testing.T) {
	rooms := hub.New(hub.Options{})
	defer rooms.Close()
	client := apptest.New(t, chat(rooms))

	if r := client.Get("/"); r.Code != http.StatusOK || r.String() != page ||
		r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("GET /: %d %v", r.Code, r.Header)
	}
	if r := client.Get("/nowhere"); r.Code != http.StatusNotFound {
		t.Errorf("GET /nowhere: %d", r.Code)
	}

	const said = `{"name":"Ada","text":"<b>hello</b>"}`
	if r := client.Post("/publish/tea", "application/json", strings.NewReader(said)); r.Code != http.StatusOK {
		t.Fatalf("POST /publish/tea: %d %s", r.Code, r)
	}
	var message struct{ Data string }
	r := client.Get("/poll/tea?since=0&timeout=0")
	if err := json.Unmarshal(r.Body, &message); err != nil || message.Data != said {
		t.Errorf("GET /poll/tea: %d %s %v", r.Code, r, err)
	}
	if r := client.Get("/poll/lobby?since=0&timeout=0"); r.Code != http.StatusNoContent || r.Header.Get(hub.LastID) == "" {
		t.Errorf("GET /poll/lobby, where nobody has said anything: %d %v", r.Code, r.Header)
	}
}
