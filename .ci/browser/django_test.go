package browser

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

const django = "../../examples/django"

// TestDjangoAdmin logs in to the admin of examples/django, adds a note and a user, and finds them in the lists.
func TestDjangoAdmin(t *testing.T) {
	const name, password = "ada", "Lovelace-1815"
	t.Setenv("DATABASE", filepath.Join(t.TempDir(), "db.sqlite3"))
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	t.Setenv("DJANGO_SUPERUSER_USERNAME", name)
	t.Setenv("DJANGO_SUPERUSER_PASSWORD", password)
	t.Setenv("DJANGO_SUPERUSER_EMAIL", "ada@example.org")
	for _, args := range [][]string{{"migrate"}, {"createsuperuser", "--noinput"}} {
		manage := exec.Command("/usr/bin/python3", append([]string{filepath.Join(django, "manage.py")}, args...)...)
		if out, err := manage.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", manage, err, out)
		}
	}
	site := start(t, "weir", "run", "mysite.wsgi", "--chdir", django, "--python", "/usr/bin/python3", "--bind", "127.0.0.1:0", "--workers", "2")

	w := open(t, "the admin")
	// click clicks on what leads to another page, and waits for that, by an element that only it has.
	click := func(selector, next string) {
		t.Helper()
		w.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(next)))
	}

	w.do(chromedp.Navigate(site.url + "admin/notes/note/")) // which asks who it is
	logIn := func(password, next string) {
		t.Helper()
		w.do(chromedp.SetValue(chromedp.CSS("#id_username"), name), chromedp.SetValue(chromedp.CSS("#id_password"), password))
		click("#login-form input[type=submit]", next)
	}
	logIn("wrong", ".errornote")
	logIn(password, ".model-note.change-list")
	w.wait(`getComputedStyle(document.querySelector("#header")).backgroundColor !== "rgba(0, 0, 0, 0)"`) // its style sheets are there

	click(".object-tools .addlink", ".model-note.change-form")
	const title = `Grüße & <b>"quotes"</b>`
	w.do(chromedp.SendKeys(chromedp.CSS("#id_title"), title), chromedp.SendKeys(chromedp.CSS("#id_text"), "two\nlines"))
	click("input[name=_save]", ".messagelist .success")
	w.wait(`document.querySelector("#result_list .field-title").textContent === ` + "`" + title + "`")
	w.screenshot("django.png")

	click(`.breadcrumbs a[href="/admin/"]`, "#content-main .model-user .addlink")
	click("#content-main .model-user .addlink", "#id_password2")
	w.do(chromedp.SendKeys(chromedp.CSS("#id_username"), "grace"), chromedp.SendKeys(chromedp.CSS("#id_password1"), "Hopper-1906"),
		chromedp.SendKeys(chromedp.CSS("#id_password2"), "Hopper-1906"))
	click("input[name=_save]", "#id_last_name") // a user has a second page
	click(`.breadcrumbs a[href="/admin/auth/user/"]`, ".model-user.change-list")
	w.wait(`[...document.querySelectorAll("#result_list .field-username")].map(e => e.textContent).join() === "ada,grace"`)

	click(`#user-tools a[href="/admin/logout/"]`, `#content a[href="/admin/"]`)
	w.noProblems("/favicon.ico")
	site.stop()
}
