package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// flagOfHelp is where the help describes a flag.
var flagOfHelp = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z0-9-]+)`)

// flagsOfCommands are the flags that commands have, as their help says.
func flagsOfCommands(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	_, help, _ := runToEnd(t, "--help")
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)  `).FindAllStringSubmatch(help, -1) {
		_, text, _ := runToEnd(t, m[1], "--help")
		if strings.Contains(text, "--help-all") {
			_, text, _ = runToEnd(t, m[1], "--help-all")
		}
		for _, f := range flagOfHelp.FindAllStringSubmatch(text, -1) {
			found[m[1]] = append(found[m[1]], f[1])
		}
	}
	if len(found) < 7 || len(found["run"]) < 60 || !slices.Contains(found["demo"], "bind") {
		t.Fatalf("there are %v\n%s", found, help)
	}
	return found
}

// TestHelpFits: help fits a screen, that of commands with many options a sheet; those that are not there are with --help-all.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []string
		lines int
		has   string
		hasNo string
	}{
		{[]string{"--help"}, 40, "run     Serve a Python WSGI application", "--bind"},
		{[]string{"run", "--help"}, 66, "--workers", "--body-buffer"},
		{[]string{"demo", "--help"}, 50, "--help-all", "--backlog"},
		{[]string{"check", "--help"}, 50, "--import-timeout", "--help-all"},
		{[]string{"run", "--help-all"}, 1000, "--body-buffer", "There are"},
		{[]string{"--help-all"}, 1000, "--body-buffer", "There are"},
	} {
		status, stdout, stderr := runToEnd(t, c.args...)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if status != 0 || stderr != "" || len(lines) > c.lines || !strings.Contains(stdout, c.has) || strings.Contains(stdout, c.hasNo) {
			t.Errorf("%q: exit %d, %d lines, want %d at most, with %q and without %q\n%s%s", c.args, status, len(lines), c.lines, c.has, c.hasNo, stdout, stderr)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%q: a line is too long: %s", c.args, line)
			}
		}
	}
}

// TestMan: the manual page has all commands and options, and those who print manual pages have nothing against it.
func TestMan(t *testing.T) {
	t.Parallel()
	status, page, stderr := runToEnd(t, "man")
	if status != 0 || stderr != "" {
		t.Fatalf("exit %d, %s", status, stderr)
	}
	for command, flags := range flagsOfCommands(t) {
		_, section, _ := strings.Cut(page, "\n.SH WEIR "+strings.ToUpper(command)+"\n")
		section, _, _ = strings.Cut(section, "\n.SH ")
		for _, name := range flags {
			if !strings.Contains(section, `\fB\-\-`+strings.ReplaceAll(name, "-", `\-`)+`\fR`) {
				t.Errorf("weir %s: --%s is missing", command, name)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "weir.1")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mandoc", "-Tlint", "-Wwarning", path).CombinedOutput()
	complaints := strings.Split(strings.TrimSpace(string(out)), "\n")
	complaints = slices.DeleteFunc(complaints, func(line string) bool { return line == "" || strings.Contains(line, "missing date") }) // built outside of version control
	if len(complaints) > 0 || err != nil && len(out) == 0 {
		t.Errorf("mandoc: %v, %q", err, complaints)
	}
	if text, err := exec.Command("mandoc", "-Tutf8", path).Output(); err != nil || !bytes.Contains(text, []byte("Permission bits of Unix sockets, such as 660.")) {
		t.Errorf("mandoc prints %v\n%s", err, text)
	}
}

// TestCompletion: what shells complete, by their own account.
func TestCompletion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "found.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	scripts, all := make(map[string]string), flagsOfCommands(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		status, stdout, stderr := runToEnd(t, "completion", shell)
		if status != 0 || stderr != "" {
			t.Fatalf("%s: exit %d, %s", shell, status, stderr)
		}
		scripts[shell] = filepath.Join(dir, shell)
		if err := os.WriteFile(scripts[shell], []byte(stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		for command, flags := range all {
			for _, name := range flags {
				if !regexp.MustCompile(`[- l]` + name + `[ "=[]`).MatchString(stdout) {
					t.Errorf("%s: --%s of %s is missing", shell, name, command)
				}
			}
		}
	}
	complete := func(shell, line string) []string {
		var cmd *exec.Cmd
		switch shell {
		case "bash": // the words that it would make of the line
			cmd = exec.Command("bash", "-c", `source "$1"; compopt() { :; }; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; printf '%s\n' "${COMPREPLY[@]}"`, "bash", scripts[shell])
			cmd.Args = append(cmd.Args, strings.Split(strings.ReplaceAll(line, "=", " = "), " ")...)
		case "fish":
			cmd = exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C "$argv[2]"`, scripts[shell], line)
		}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %q: %v\n%s", shell, line, err, out)
		}
		var words []string
		for line := range strings.Lines(string(out)) { // fish has the whole word, and what it means
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if word != "" {
				words = append(words, word[strings.LastIndex(word, "=")+1:])
			}
		}
		slices.Sort(words)
		return words
	}
	for line, want := range map[string][]string{
		"weir comp":               {"completion"},
		"weir completion ":        {"bash", "fish", "zsh"},
		"weir run --worker-c":     {"--worker-class", "--worker-connections"},
		"weir --worker-c":         {"--worker-class", "--worker-connections"},
		"weir app:app --worker-c": {"--worker-class", "--worker-connections"},
		"weir demo --worker-c":    {},
		"weir demo --test-r":      {"--test-routes"},
		"weir run --accept ":      {"distribute", "reuseport"},
		"weir run --accept=dis":   {"distribute"},
		"weir run -k g":           {"gevent"},
		"weir run --chdir fo":     {"folder/"},
		"weir run -c foun":        {"found.toml"},
		"weir run --workers ":     {},
	} {
		for _, shell := range []string{"bash", "fish"} {
			if got := complete(shell, line); strings.Join(got, " ") != strings.Join(want, " ") && strings.Join(got, " ")+"/" != strings.Join(want, " ") {
				t.Errorf("%s: %q is completed by %q, want %q", shell, line, got, want)
			}
		}
	}
	// What zsh's own function would be given.
	zsh := `compdef() { : }; _describe() { print -rl -- $known }; _arguments() { print -rl -- $command "$@" }; source "$1"; shift; words=("$@"); CURRENT=$#; PREFIX=$words[-1]; _weir`
	for line, want := range map[string]string{
		"weir c":           "config:Print what weir run",
		"weir --loo":       "run\n-s\n",
		"weir demo --loo":  "demo\n-s\n",
		"weir demo --loop": "(--loops)--loops=[Number of event loops",
		"weir run -k":      "(--worker-class -k)-k+[How workers call the application: sync",
		"weir run --env":   "*--env=[Variable",
		"weir completion ": "*:shell:(bash zsh fish)",
	} {
		out, err := exec.Command("zsh", append([]string{"-f", "-c", zsh, "zsh", scripts["zsh"]}, strings.Split(line, " ")...)...).CombinedOutput()
		if err != nil || !strings.Contains(strings.ReplaceAll(string(out), `\`, ""), want) {
			t.Errorf("zsh: %q: %v, there is no %q in\n%s", line, err, want, out)
		}
	}
}
