package browser

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestReport looks at bench's report, with every kind of case: it stays readable on a phone and in the dark, and needs nothing from elsewhere.
func TestReport(t *testing.T) {
	path, err := filepath.Abs("../../bench/testdata/report/report.html")
	if err != nil {
		t.Fatal(err)
	}
	page := open(t, "the reader")
	page.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate("file://"+path))
	page.wait(`document.querySelectorAll("svg").length > 10 && document.body.textContent.includes("clients wait on one topic")`)
	page.screenshot("report.png")

	// A wide table may scroll in its own box, and not the page; no chart and no word of it leaves the screen.
	page.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	page.wait(`document.documentElement.scrollWidth <= 360`)
	page.wait(`[...document.querySelectorAll("svg")].every(s => s.getBoundingClientRect().right <= 360.5)`)
	page.wait(`[...document.querySelectorAll("svg text")].every(x => {
		const word = x.getBoundingClientRect(), chart = x.closest("svg").getBoundingClientRect()
		return word.left >= chart.left - 1 && word.right <= chart.right + 1
	})`)
	page.screenshot("report-phone.png")

	const colors = `[document.body, document.querySelector("svg text"), document.querySelector("td")].map(e => {
		const s = getComputedStyle(e); return s.backgroundColor + s.color + s.fill }).join()`
	light, err := chromedp.Run(page.ctx, chromedp.Evaluate[string](colors))
	if err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(page.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	page.wait(colors + ` !== "` + strings.ReplaceAll(light, `"`, `\"`) + `"`)
	page.screenshot("report-dark.png")
	page.noProblems()
}
