package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints a script for a shell, made of the commands and their flags. Libraries that complete ask the program at each key;
// those that are there for kong rest on one that is not kept any more. A script needs neither.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c completionCommand) Run(ctx *kong.Context) error {
	print := map[string]func(io.Writer, *kong.Application){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[c.Shell]
	var script strings.Builder
	print(&script, ctx.Model)
	_, err := os.Stdout.WriteString(script.String())
	return err
}

// shown are the flags of a command that users know of.
func shown(command *kong.Node) (flags []*kong.Flag) {
	for _, group := range command.AllFlags(true) {
		flags = append(flags, group...)
	}
	return flags
}

// commandsOf are the commands that users know of.
func commandsOf(model *kong.Application) (commands []*kong.Node) {
	for _, command := range model.Children {
		if !command.Hidden {
			commands = append(commands, command)
		}
	}
	return commands
}

// wordsOf are the words that the value of a flag or an argument may be; none: any.
func wordsOf(value *kong.Value) []string {
	switch {
	case value.Name == "worker-class":
		return []string{"sync", "threads", "gevent"}
	case value.Enum != "":
		return strings.Split(value.Enum, ",")
	}
	return nil
}

// kindOf is what the value of a flag is: "files", "directories", or "".
func kindOf(f *kong.Flag) string {
	switch {
	case strings.Contains(f.PlaceHolder, "DIR"):
		return "directories"
	case f.PlaceHolder == "FILE" || f.PlaceHolder == "PATH":
		return "files"
	}
	return ""
}

// spellings are the ways to write a flag, the long one first.
func spellings(f *kong.Flag) []string {
	names := []string{"--" + f.Name}
	if f.Short != 0 {
		names = append(names, "-"+string(f.Short))
	}
	return names
}

// aliases are further ways, which other servers have.
func aliases(f *kong.Flag) (names []string) {
	for _, alias := range f.Aliases {
		names = append(names, "--"+alias)
	}
	return names
}

// completeBash: words of the line are split at "=", which is one itself then.
func completeBash(w io.Writer, model *kong.Application) {
	fmt.Fprint(w, `# bash: source <(weir completion bash)
_weir() {
  local command=run first=1 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
  case ${COMP_WORDS[1]} in
`)
	var names []string
	for _, command := range commandsOf(model) {
		names = append(names, command.Name)
	}
	fmt.Fprintf(w, "  %s) if ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]} first=0; fi ;;\n  esac\n", strings.Join(names, "|"))
	fmt.Fprint(w, "  case $command\\ $prev in\n")
	for _, command := range commandsOf(model) {
		for _, f := range shown(command) {
			patterns := command.Name + `\ ` + strings.Join(spellings(f), "|"+command.Name+`\ `)
			switch words, kind := wordsOf(f.Value), kindOf(f); {
			case f.IsBool():
			case words != nil:
				fmt.Fprintf(w, "  %s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", patterns, strings.Join(words, " "))
			case kind == "directories":
				fmt.Fprintf(w, "  %s) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", patterns)
			case kind == "files":
				fmt.Fprintf(w, "  %s) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", patterns)
			default:
				fmt.Fprintf(w, "  %s) return ;;\n", patterns)
			}
		}
	}
	fmt.Fprint(w, "  esac\n  case $command in\n")
	for _, command := range commandsOf(model) {
		var flags, arguments []string
		for _, f := range shown(command) {
			flags = append(flags, spellings(f)[0])
		}
		for _, argument := range command.Positional {
			arguments = append(arguments, wordsOf(argument)...)
		}
		fmt.Fprintf(w, "  %s) if [[ $cur == -* ]]; then words=%q; else words=%q; fi ;;\n", command.Name, strings.Join(flags, " "), strings.Join(arguments, " "))
	}
	fmt.Fprintf(w, `  esac
  if ((first && COMP_CWORD == 1)) && [[ $cur != -* ]]; then words=%q; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _weir weir
`, strings.Join(names, " "))
}

func completeZsh(w io.Writer, model *kong.Application) {
	quote := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`, "`", "\\`")
	fmt.Fprint(w, "#compdef weir\n# zsh: weir completion zsh > a file named _weir in a directory of $fpath\n_weir() {\n  local -a known\n  known=(\n")
	for _, command := range commandsOf(model) {
		fmt.Fprintf(w, "    '%s:%s'\n", command.Name, quote.Replace(command.Help))
	}
	fmt.Fprint(w, "  )\n  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then\n    _describe command known\n    return\n  fi\n  local command=$words[2]\n"+
		"  if ((${known[(I)$command:*]})); then\n    shift words\n    ((CURRENT--))\n  else\n    command=run\n  fi\n  case $command in\n")
	for _, command := range commandsOf(model) {
		fmt.Fprintf(w, "  %s)\n    _arguments -s", command.Name)
		for _, f := range shown(command) {
			names := spellings(f)
			repeats, value := "*", ""
			if !f.IsSlice() {
				repeats = "(" + strings.Join(names, " ") + ")"
			}
			if !f.IsBool() {
				action := ""
				switch words, kind := wordsOf(f.Value), kindOf(f); {
				case words != nil:
					action = "(" + strings.Join(words, " ") + ")"
				case kind == "directories":
					action = "_files -/"
				case kind == "files":
					action = "_files"
				}
				value = ":" + quote.Replace(f.PlaceHolder) + ":" + action
			}
			for i, name := range names {
				if value != "" && i == 0 {
					name += "="
				} else if value != "" {
					name += "+"
				}
				fmt.Fprintf(w, " \\\n      '%s%s[%s]%s'", repeats, name, quote.Replace(f.Help), value)
			}
		}
		for _, argument := range command.Positional {
			fmt.Fprintf(w, " \\\n      '*:%s:(%s)'", quote.Replace(argument.Name), strings.Join(wordsOf(argument), " "))
		}
		fmt.Fprint(w, "\n    ;;\n")
	}
	fmt.Fprint(w, "  esac\n}\nif [[ $funcstack[1] == _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n")
}

func completeFish(w io.Writer, model *kong.Application) {
	quote := strings.NewReplacer(`\`, `\\`, "'", `\'`)
	var names []string
	for _, command := range commandsOf(model) {
		names = append(names, command.Name)
	}
	all := strings.Join(names, " ")
	fmt.Fprint(w, "# fish: weir completion fish > ~/.config/fish/completions/weir.fish\ncomplete -c weir -f\n")
	for _, command := range commandsOf(model) {
		fmt.Fprintf(w, "complete -c weir -n __fish_use_subcommand -a %s -d '%s'\n", command.Name, quote.Replace(command.Help))
		condition := "__fish_seen_subcommand_from " + command.Name
		if command.Name == "run" { // which may be left out
			condition += "; or not __fish_seen_subcommand_from " + all
		}
		for _, f := range shown(command) {
			fmt.Fprintf(w, "complete -c weir -n '%s' -l %s", condition, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(w, " -s %c", f.Short)
			}
			switch words, kind := wordsOf(f.Value), kindOf(f); {
			case f.IsBool():
			case words != nil:
				fmt.Fprintf(w, " -x -a '%s'", strings.Join(words, " "))
			case kind == "directories":
				fmt.Fprint(w, " -x -a '(__fish_complete_directories)'")
			case kind == "files":
				fmt.Fprint(w, " -r -F")
			default:
				fmt.Fprint(w, " -x")
			}
			fmt.Fprintf(w, " -d '%s'\n", quote.Replace(f.Help))
		}
		for _, argument := range command.Positional {
			if words := wordsOf(argument); words != nil {
				fmt.Fprintf(w, "complete -c weir -n '%s' -a '%s'\n", condition, strings.Join(words, " "))
			}
		}
	}
}
