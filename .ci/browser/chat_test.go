package browser

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The parts of the page.
const (
	nameField = chromedp.CSS("#name")
	join      = chromedp.CSS("#join button")
	textField = chromedp.CSS("#text")
	send      = chromedp.CSS("#send > button")
)

// enter opens the chat in a new window, and joins.
func enter(t *testing.T, name, url string) *window {
	t.Helper()
	w := open(t, name)
	w.do(chromedp.Navigate(url), chromedp.WaitVisible(nameField), chromedp.WaitNotVisible(textField))
	w.do(chromedp.SendKeys(nameField, name), chromedp.Click(join), chromedp.WaitVisible(textField))
	w.connected()
	return w
}

// over waits until the window is connected in this way.
func (w *window) over(way string) {
	w.t.Helper()
	w.wait(`document.querySelector("#state").title === "` + way + `"`)
}

func (w *window) connected() {
	w.t.Helper()
	w.wait(`document.querySelector("#state").textContent === "connected"`)
}

// say sends a message with the Enter key.
func (w *window) say(text string) {
	w.t.Helper()
	w.do(chromedp.SendKeys(textField, text+"\n"))
}

// sees waits until the window shows these messages, "name: text" each, and no others.
func (w *window) sees(messages ...string) {
	w.t.Helper()
	want, err := json.Marshal(messages)
	if err != nil {
		w.t.Fatal(err)
	}
	w.wait(`JSON.stringify([...document.querySelectorAll(".message")].map(line =>
		line.querySelector("b").textContent + ": " + line.querySelector("span").textContent)) === JSON.stringify(` + string(want) + `)`)
}

func TestChat(t *testing.T) {
	chat := start(t, "chat", "--bind", "127.0.0.1:0")
	ada, ben := enter(t, "Ada", chat.url), enter(t, "Ben", chat.url+"?polls") // one of each kind
	ada.over("WebSocket")
	ben.over("long-polls")
	ada.wait(`!document.querySelector("#empty").hidden`)

	ada.say("Hello! Is anybody there?")
	ben.sees("Ada: Hello! Is anybody there?")
	ben.do(chromedp.SendKeys(textField, "I am. Grüße 👋"), chromedp.Click(send))
	said := []string{"Ada: Hello! Is anybody there?", "Ben: I am. Grüße 👋"}
	ada.sees(said...)

	// Several at once, from both sides: both windows see the same order.
	for _, text := range []string{"one", "two", "three"} {
		ada.say(text)
		said = append(said, "Ada: "+text)
	}
	ben.sees(said...)
	ada.sees(said...)

	// One that is worth to be compressed.
	long := strings.TrimSpace(strings.Repeat("on and on ", 50))
	ada.say(long)
	said = append(said, "Ada: "+long)
	ben.sees(said...)
	ada.sees(said...)

	// Text is text.
	const html = `<img src="/x" onerror="document.title='broken'"> <b>bold</b> &amp;`
	ben.say(html)
	said = append(said, "Ben: "+html)
	for _, w := range []*window{ada, ben} {
		w.sees(said...)
		w.wait(`document.querySelectorAll(".message *").length === 2 * document.querySelectorAll(".message").length`)
	}

	// What does not come from the page.
	chat.post("publish/lobby", "this is not JSON")
	chat.post("publish/lobby", `{"name":"<i>Eve</i>","text":"x"}`)
	said = append(said, "somebody: this is not JSON", "<i>Eve</i>: x")
	ada.sees(said...)

	// Another room, with a name that has to be encoded.
	cleo := enter(t, "Cleo", chat.url+"#tea%20%2F%20caf%C3%A9")
	cleo.wait(`document.querySelector("h1").textContent === "weir chat: tea / café"`)
	cleo.say("Milk?")
	cleo.sees("Cleo: Milk?")

	// A name that no room may have.
	dora := open(t, "Dora")
	dora.do(chromedp.Navigate(chat.url + "#" + strings.Repeat("x", 300)))
	dora.wait(`document.querySelector(".missed")?.textContent.startsWith("This room cannot be: a topic's name")`)

	// A window that is loaded again shows what was said, and knows who it is.
	ada.do(chromedp.Reload())
	ada.connected()
	ada.sees(said...)
	ada.wait(`document.querySelector("#me").textContent === "Ada"`)
	ada.wait(`document.querySelectorAll(".mine").length === 5`)

	// A name can be changed.
	ada.do(chromedp.Click(chromedp.CSS("#rename")), chromedp.WaitVisible(nameField),
		chromedp.SendKeys(nameField, " L.\n"), chromedp.WaitVisible(textField))
	ada.say("It is still me.")
	said = append(said, "Ada L.: It is still me.")
	ben.sees(said...)
	ada.sees(said...)

	ada.screenshot("chat.png")
	ada.do(chromedp.EmulateViewport(390, 780, chromedp.EmulateMobile))
	ada.screenshot("chat-phone.png")
	for _, w := range []*window{ada, ben, cleo} {
		w.noProblems()
	}
}

// TestChatReconnects stops the server and starts it again.
func TestChatReconnects(t *testing.T) {
	chat := start(t, "chat", "--bind", "127.0.0.1:0")
	ada, ben := enter(t, "Ada", chat.url), enter(t, "Ben", chat.url+"?polls")
	ada.say("before")
	ada.sees("Ada: before")
	ben.sees("Ada: before")

	chat.stop() // at once, although a poll and a WebSocket wait
	for _, w := range []*window{ada, ben} {
		w.wait(`document.querySelector("#state").textContent === "reconnecting"`)
	}
	ada.say("kept")
	ada.do(chromedp.WaitVisible(chromedp.CSS("#problem")))
	ada.wait(`document.querySelector("#text").value === "kept"`)

	address := strings.TrimSuffix(strings.TrimPrefix(chat.url, "http://"), "/")
	start(t, "chat", "--bind", address)
	for _, w := range []*window{ada, ben} {
		w.connected()
		w.wait(`document.querySelectorAll(".missed").length === 1`)
	}
	ada.say("") // Enter: what could not be sent is still in the field
	ben.sees("Ada: before", "Ada: kept")
	ben.say("after")
	ada.sees("Ada: before", "Ada: kept", "Ben: after")
	ben.sees("Ada: before", "Ada: kept", "Ben: after")
	ada.do(chromedp.WaitNotVisible(chromedp.CSS("#problem")))
	ada.over("WebSocket")
	ada.screenshot("chat-reconnected.png")

	for _, w := range []*window{ada, ben} {
		w.noProblems("Failed to load resource", "WebSocket connection") // while there was no server, and 410 afterwards
	}
}
