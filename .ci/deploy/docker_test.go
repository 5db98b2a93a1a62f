package deploy_test

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// TestDockerfiles: they are well-formed, and say what an image of weir has to.
func TestDockerfiles(t *testing.T) {
	for name, base := range map[string]string{"Dockerfile": "scratch", "Dockerfile.python": "python:${PYTHON}-slim"} {
		d, err := read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		l := d.last
		if l.BaseName != base {
			t.Errorf("%s: the image is from %s", name, l.BaseName)
		}
		if len(l.user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(l.user[0]) {
			t.Errorf("%s: USER is %q", name, l.user)
		}
		if !slices.Equal(l.stop, []string{"SIGTERM"}) || len(l.entrypoint) == 0 || len(l.command) == 0 {
			t.Errorf("%s: STOPSIGNAL is %q, ENTRYPOINT %q, CMD %q", name, l.stop, l.entrypoint, l.command)
		}
		given := strings.Join(append(l.environ, l.command...), " ")
		for _, port := range l.ports {
			if !strings.Contains(given, "[::]:"+port) {
				t.Errorf("%s: nothing listens at port %s: %s", name, port, given)
			}
		}
		stages := []string{}
		for _, stage := range d.stages {
			for _, c := range stage.Commands {
				if c, ok := c.(*instructions.CopyCommand); ok && c.From != "" && !slices.Contains(stages, c.From) {
					t.Errorf("%s: there is no stage %s before %v", name, c.From, c)
				}
			}
			stages = append(stages, stage.Name)
		}
	}
}

// TestScratch: the binary of the image needs nothing beside it, serves by the command of the image, and ends by its signal.
func TestScratch(t *testing.T) {
	binary, err := elf.Open(filepath.Join(image, "weir"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs %q, %v", libraries, err)
	}
	d, err := read("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, true, slices.Concat(d.last.entrypoint[1:], d.last.command)...)
	for _, url := range []string{s.at + "/plaintext", s.admin + "/healthz", s.admin + "/readyz"} {
		if status := s.ask(url); status != 200 {
			t.Errorf("%s: %d", url, status)
		}
	}
	s.stop(syscall.SIGTERM)
}

// TestPythonImage: the variables of the image are options, and its HEALTHCHECK tells health from its lack.
func TestPythonImage(t *testing.T) {
	d, err := read("Dockerfile.python")
	if err != nil {
		t.Fatal(err)
	}
	config := exec.Command(filepath.Join(image, "weir"), slices.Concat([]string{"config"}, d.last.entrypoint[1:], d.last.command)...)
	config.Env = append(config.Environ(), d.last.environ...)
	out, err := config.CombinedOutput()
	for _, pair := range d.last.environ {
		if name, _, _ := strings.Cut(pair, "="); !strings.Contains(string(out), name) {
			t.Errorf("%v: without %s:\n%s", err, name, out)
		}
	}
	s := start(t, false, "demo", "--bind", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	test := slices.Clone(d.last.health[1:])
	for i := range test {
		test[i] = strings.ReplaceAll(test[i], "127.0.0.1:9000", s.admin)
	}
	if out, err := exec.Command(test[0], test[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s.stop(syscall.SIGTERM)
	if err := exec.Command(test[0], test[1:]...).Run(); err == nil {
		t.Error("a weir that is gone is in good health")
	}
}
