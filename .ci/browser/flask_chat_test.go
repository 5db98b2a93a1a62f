package browser

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// visit opens the chat of examples/flask_chat in a new window, and gives a name.
func visit(t *testing.T, name, url string) *window {
	t.Helper()
	w := open(t, name)
	w.do(chromedp.Navigate(url), chromedp.WaitVisible(nameField), chromedp.SendKeys(nameField, name))
	w.connected()
	return w
}

// TestFlaskChat: a view of Flask holds one window by an event stream, another by polls. A message reaches both, in order and as text,
// although there is one worker.
func TestFlaskChat(t *testing.T) {
	dir, err := filepath.Abs("../../examples/flask_chat")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(bind string) *process {
		return start(t, "weir", "run", "app:app", "--chdir", dir, "--python", "/usr/bin/python3", "-w", "1", "-b", bind)
	}
	chat := serve("127.0.0.1:0")
	ada, ben := visit(t, "Ada", chat.url), visit(t, "Ben", chat.url+"?poll")
	room := visit(t, "Dora", chat.url+"#caf%C3%A9")
	room.wait(`document.querySelector("h1").textContent === "Flask chat: café"`)

	if r, err := http.Get(chat.url + "rooms/lobby/next?since=-1"); err != nil || r.Body.Close() != nil || r.StatusCode != http.StatusBadRequest {
		t.Errorf("what is no id is answered with %v, %v", r, err)
	}
	ada.say("Hello! Is anybody there?")
	said := []string{"Ada: Hello! Is anybody there?"}
	ben.sees(said...)
	for _, text := range []string{"I am. Grüße 👋", "two", `<b onclick="x">three</b> &amp;`} {
		ben.say(text)
		said = append(said, "Ben: "+text)
	}
	for _, w := range []*window{ada, ben} {
		w.sees(said...)
		w.wait(`document.querySelectorAll(".message *").length === 2 * document.querySelectorAll(".message").length`)
	}
	ada.wait(`document.querySelectorAll(".mine").length === 1`)
	room.sees([]string{}...)
	room.do(chromedp.Navigate("about:blank")) // a browser has six connections to a server at the most
	ada.screenshot("flask-chat.png")
	late := visit(t, "Emma", chat.url) // sees what was said before
	late.sees(said...)
	late.do(chromedp.EmulateViewport(390, 780, chromedp.EmulateMobile))
	late.screenshot("flask-chat-phone.png")

	chat.stop() // at once, although all of them wait
	for _, w := range []*window{ada, ben} {
		w.wait(`document.querySelector("#state").textContent === "reconnecting"`)
	}
	ada.say("kept")
	ada.do(chromedp.WaitVisible(chromedp.CSS("#problem")))
	serve(chat.url[len("http://") : len(chat.url)-1])
	ada.connected()
	ben.connected()
	ada.say("") // Enter: what could not be sent is still in the field
	said = append(said, "Ada: kept")
	ada.sees(said...)
	ben.sees(said...)
	for _, w := range []*window{ada, ben, room, late} {
		w.noProblems("Failed to load resource", "EventSource") // while there was no server, and 410 afterwards
	}
}
