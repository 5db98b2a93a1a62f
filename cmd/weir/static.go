package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/static"
)

// staticFlags serve files beside the application.
type staticFlags struct {
	Static          []string       `placeholder:"/PREFIX=DIR" sep:"none" help:"Serve the files of DIR below /PREFIX, before the application. Repeatable."`
	StaticMaxAge    *time.Duration `placeholder:"DURATION" help:"How long caches may keep these files without asking; 0 has them ask each time (default: not said)."`
	StaticImmutable string         `placeholder:"REGEXP" help:"Files whose path in DIR matches never change: caches keep them."`
	StaticDotfiles  bool           `help:"Serve files whose name begins with a dot as well."`
	StaticSymlinks  bool           `help:"Follow symbolic links that stay inside DIR, those of --sendfile-root too."`
	SendfileRoot    []string       `placeholder:"[/PREFIX=]DIR" sep:"none" help:"Send files of DIR that the application names: by X-Sendfile, or with a PREFIX by X-Accel-Redirect. Repeatable."`
}

// mount is one --static.
type mount struct{ prefix, dir string }

// check tells what is wrong with the flags, before anything is started.
func (f *staticFlags) check() error {
	_, err := f.wrap(nil)
	return err
}

// wrap puts the files in front of an application. Where there are none, it is returned as it is.
func (f *staticFlags) wrap(application app.Application) (app.Application, error) {
	if err := f.idle(); err != nil {
		return nil, err
	}
	options := static.Options{FollowSymlinks: f.StaticSymlinks, Dotfiles: f.StaticDotfiles}
	if age := f.StaticMaxAge; age != nil {
		switch seconds := int64(age.Seconds()); {
		case *age < 0:
			return nil, &usageError{"--static-max-age must be 0 or more"}
		case seconds == 0:
			options.CacheControl = "no-cache"
		default:
			options.CacheControl = fmt.Sprintf("public, max-age=%d", seconds)
		}
	}
	if f.StaticImmutable != "" {
		var err error
		if options.Immutable, err = regexp.Compile(f.StaticImmutable); err != nil {
			return nil, &usageError{"--static-immutable: " + err.Error()}
		}
	}
	application, err := f.wrapSendfile(application, options)
	if err != nil {
		return nil, err
	}
	var mounts []mount
	for _, value := range f.Static {
		prefix, dir, ok := strings.Cut(value, "=")
		if !ok || dir == "" {
			return nil, &usageError{fmt.Sprintf("--static must be /PREFIX=DIR, not %q", value)}
		}
		if err := static.CheckPrefix(prefix); err != nil {
			return nil, &usageError{"--static: " + err.Error()}
		}
		prefix = strings.TrimSuffix(prefix, "/")
		if slices.ContainsFunc(mounts, func(m mount) bool { return m.prefix == prefix }) {
			return nil, &usageError{fmt.Sprintf("--static names the prefix %q twice", cmp.Or(prefix, "/"))}
		}
		mounts = append(mounts, mount{prefix, dir})
	}
	// The longest prefix is asked first, so it comes around the others.
	slices.SortStableFunc(mounts, func(a, b mount) int { return cmp.Compare(len(a.prefix), len(b.prefix)) })
	for _, m := range mounts {
		site, err := static.New(m.dir, options)
		if err != nil {
			return nil, fmt.Errorf("--static: %w (the directory must exist and be readable)", err)
		}
		if application == nil { // it was a check
			if err := site.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if application, err = site.Mount(cmp.Or(m.prefix, "/"), application); err != nil {
			return nil, err
		}
	}
	return application, nil
}

// idle tells which flag is about files that are not served.
func (f *staticFlags) idle() error {
	const files = "--static /PREFIX=DIR, the files that it is about"
	switch {
	case len(f.Static) > 0:
	case f.StaticMaxAge != nil:
		return &usageError{"--static-max-age needs " + files}
	case f.StaticImmutable != "":
		return &usageError{"--static-immutable needs " + files}
	case f.StaticDotfiles:
		return &usageError{"--static-dotfiles needs " + files}
	case f.StaticSymlinks && len(f.SendfileRoot) == 0:
		return &usageError{"--static-symlinks needs --static or --sendfile-root, the files that it is about"}
	}
	return nil
}

// wrapSendfile has the files sent that the application names.
func (f *staticFlags) wrapSendfile(application app.Application, options static.Options) (app.Application, error) {
	if len(f.SendfileRoot) == 0 {
		return application, nil
	}
	var handovers []static.Handover
	for _, value := range f.SendfileRoot {
		prefix, dir, ok := strings.Cut(value, "=")
		switch {
		case !ok:
			prefix, dir = "", value
		case dir == "":
			return nil, &usageError{fmt.Sprintf("--sendfile-root must be DIR or /PREFIX=DIR, not %q", value)}
		}
		if ok {
			if err := static.CheckPrefix(prefix); err != nil {
				return nil, &usageError{"--sendfile-root: " + err.Error()}
			}
		} else if dir == "" {
			return nil, &usageError{"--sendfile-root must be DIR or /PREFIX=DIR"}
		}
		handovers = append(handovers, static.Handover{Prefix: prefix, Dir: dir})
	}
	sendfile, err := static.NewSendfile(handovers, options)
	if err != nil {
		return nil, fmt.Errorf("--sendfile-root: %w (the directory must exist and be readable)", err)
	}
	if application == nil {
		return nil, sendfile.Close()
	}
	return sendfile.Wrap(application), nil
}
