package browser

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestAdmin looks at the page for operators while requests are answered: the charts move, and stay readable in the dark and on a phone.
func TestAdmin(t *testing.T) {
	demo := start(t, "weir", "demo", "--bind", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	at := regexp.MustCompile(`"operators may ask","address":"([^"]+)"`)
	for end := time.Now().Add(patience); at.FindString(demo.stderr.String()) == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no address in %q", demo.stderr.String())
		}
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	t.Cleanup(func() { close(stop); clients.Wait() })
	for _, paths := range [][]string{
		{"plaintext", "json", "nowhere", "plaintext", "sleep?ms=2"}, {"bytes?n=100000", "plaintext"}, {"poll/news"}, {"poll/news"},
	} {
		clients.Go(func() { busy(demo.url, paths, stop) })
	}

	page := open(t, "the operator")
	page.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate("http://"+at.FindStringSubmatch(demo.stderr.String())[1]+"/"))
	page.wait(`document.querySelector("#state").textContent === "serving"`)
	const drawn = `[...document.querySelectorAll("svg path:not(.grid)")].filter(p => p.getAttribute("d").includes("L")).length`
	page.wait(drawn + ` >= 6`) // all lines: the rate, two quantiles, two counts of connections, the lag
	page.wait(`Number(document.querySelector("#rate .now span span").textContent) > 0`)
	page.wait(`document.querySelectorAll("#loops tr").length > 1 && document.querySelector("#codes").textContent.includes("200")`)
	if os.Getenv("SCREENSHOTS") != "" {
		time.Sleep(40 * time.Second) // for the charts of the picture
	}
	page.screenshot("admin.png")

	const fits = `document.documentElement.scrollWidth <= document.documentElement.clientWidth`
	page.do(chromedp.EmulateViewport(390, 780, chromedp.EmulateMobile))
	page.wait(fits)
	page.screenshot("admin-phone.png")
	light, err := chromedp.Run(page.ctx, chromedp.Evaluate[string]("getComputedStyle(document.body).backgroundColor"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(page.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	page.wait(`getComputedStyle(document.body).backgroundColor !== "` + light + `"`)
	page.screenshot("admin-dark.png")
	page.noProblems("/favicon.ico")

	demo.stop()
	page.wait(`document.querySelector("#state").textContent === "no answer"`)
}

// busy is a client that asks the demo for paths until stop is closed.
func busy(url string, paths []string, stop chan struct{}) {
	client := http.Client{Timeout: patience, Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(1+i%50/10) * time.Millisecond):
		}
		r, err := client.Get(url + paths[i%len(paths)])
		if err != nil {
			continue // it has ended
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}
