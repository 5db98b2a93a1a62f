package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestDemo follows each link of the demo's page.
func TestDemo(t *testing.T) {
	demo := start(t, "weir", "demo", "--bind", "127.0.0.1:0")
	downloads := t.TempDir()

	page := open(t, "the demo")
	page.do(chromedp.Navigate(demo.url))
	page.screenshot("demo.png")
	links, err := chromedp.Run(page.ctx, chromedp.AttributesAll(chromedp.CSSAll("a[href]")))
	if err != nil || len(links) < 9 {
		t.Fatalf("the demo has the links %v (%v)", links, err)
	}
	page.do(chromedp.EmulateViewport(390, 780, chromedp.EmulateMobile))
	page.screenshot("demo-phone.png")
	page.noProblems()

	demo.post("publish/news", "for those that come later")
	for _, link := range links {
		href := link["href"]
		t.Run(strings.Trim(href, "/"), func(t *testing.T) { follow(t, demo, href, downloads) })
	}
}

// follow clicks on a link of the demo's page, and expects all of the answer, of an endless one the beginning.
func follow(t *testing.T, demo *process, href, downloads string) {
	events := make(chan any, 1000)
	keep := func(event any) {
		switch event.(type) {
		case *network.EventResponseReceived, *network.EventDataReceived, *network.EventLoadingFinished,
			*network.EventLoadingFailed, *browser.EventDownloadProgress:
			select {
			case events <- event:
			default: // await fails: it does not find what it waits for
			}
		}
	}
	w := open(t, href, keep)
	if err := chromedp.ListenBrowser(w.ctx, keep); err != nil {
		t.Fatal(err)
	}
	told := true
	_, err := chromedp.CallBrowser(w.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: downloads, EventsEnabled: &told,
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	var publish <-chan time.Time // when a poll waits: it is told until it has an answer, of which publish need not know that it came of it
	await := func(what string, met func(event any) bool) {
		t.Helper()
		for {
			select {
			case event := <-events:
				if met(event) {
					return
				}
			case <-publish:
				demo.post("publish/news", "for those that wait")
			case <-deadline.C:
				t.Fatalf("%s: no %s", href, what)
			}
		}
	}

	w.do(chromedp.Navigate(demo.url), chromedp.Click(chromedp.CSS(fmt.Sprintf("a[href=%q]", href))))
	if strings.HasPrefix(href, "/poll/") {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		publish = tick.C
	}

	var response *network.EventResponseReceived
	await("response", func(event any) bool {
		r, ok := event.(*network.EventResponseReceived)
		if ok && r.Type == network.ResourceTypeDocument && strings.HasSuffix(r.Response.URL, href) {
			response = r
		}
		return response != nil
	})
	publish = nil
	if response.Response.Status != 200 {
		t.Errorf("%s is answered with %d %s", href, response.Response.Status, response.Response.StatusText)
	}
	switch response.Response.MimeType {
	case "text/event-stream": // it has no end
		await("event", func(event any) bool {
			data, ok := event.(*network.EventDataReceived)
			return ok && data.RequestID == response.RequestID && data.DataLength > 0
		})
	case "application/octet-stream":
		await("end of the download", func(event any) bool {
			progress, ok := event.(*browser.EventDownloadProgress)
			if ok && progress.State == browser.DownloadProgressStateCanceled {
				t.Fatalf("%s: the download was cut off after %v octets", href, progress.ReceivedBytes)
			}
			return ok && progress.State == browser.DownloadProgressStateCompleted
		})
	default:
		await("end", func(event any) bool {
			failed, ok := event.(*network.EventLoadingFailed)
			if ok && failed.RequestID == response.RequestID {
				t.Fatalf("%s: %s", href, failed.ErrorText)
			}
			finished, ok := event.(*network.EventLoadingFinished)
			return ok && finished.RequestID == response.RequestID
		})
	}
	w.noProblems("/favicon.ico") // which the browser looks for where a page of another type than HTML cannot name one
}
