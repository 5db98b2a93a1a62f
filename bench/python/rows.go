package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names of the rows that bars are about.
const (
	weir            = "weir"
	gunicornSync    = "gunicorn sync"
	gunicornGthread = "gunicorn gthread"
	uwsgiRouter     = "uwsgi http router"
	uwsgiSocket     = "uwsgi http-socket"
	nginxUwsgi      = "nginx + uwsgi"
	tornadoWSGI     = "tornado WSGIContainer"
	geventWSGI      = "gevent.pywsgi"
)

// workers is how many processes call the application, in every server that can have several.
const workers = "2"

// A row is a server that is measured.
type row struct {
	name    string
	missing string // why it cannot run
	prepare func(app string, port int) (launch, error)
}

// A launch is how a row is started with an application on a port.
type launch struct {
	commands [][]string // the first one starts first, the last one has the port
	clean    func()     // after the end; nil for nothing
}

// simple is a row of one process whose command is known at once.
func simple(name, missing string, command func(app, addr string) []string) row {
	return row{name: name, missing: missing, prepare: func(app string, port int) (launch, error) {
		return launch{commands: [][]string{command(app, local(port))}}, nil
	}}
}

// rows are all servers. weir is the first one.
func (o *options) rows(ctx context.Context) []row {
	weirRow := func(name string, more ...string) row {
		return simple(name, "", func(app, addr string) []string {
			return slices.Concat([]string{o.weir, "run", app + ":app", "-w", workers, "--python", o.python, "--chdir", o.apps(), "-b", addr}, more)
		})
	}
	module := func(name, module, debian string, command func(app, addr string) []string) row {
		missing := ""
		if exec.CommandContext(ctx, o.python, "-c", "import "+module).Run() != nil {
			missing = "not installed (apt-get install " + debian + ")"
		}
		return simple(name, missing, func(app, addr string) []string { return append([]string{o.python}, command(app, addr)...) })
	}
	gunicorn := func(name string, class ...string) row {
		return module(name, "gunicorn", "gunicorn", func(app, addr string) []string {
			return slices.Concat([]string{"-m", "gunicorn", "-w", workers, "-b", addr}, class, []string{app + ":app"})
		})
	}
	script := func(name, imported string) row {
		return module(name, imported, "python3-"+imported, func(app, addr string) []string {
			return []string{filepath.Join(o.apps(), "serve_"+imported+".py"), addr, app}
		})
	}
	noUwsgi := lacks("uwsgi", "uwsgi-core uwsgi-plugin-python3")
	return []row{
		weirRow(weir),
		weirRow("weir --threads 4", "--threads", "4"),
		gunicorn(gunicornSync, "-k", "sync"),
		gunicorn(gunicornGthread, "-k", "gthread", "--threads", "4"),
		gunicorn("gunicorn gevent", "-k", "gevent"),
		simple(uwsgiRouter, noUwsgi, func(app, addr string) []string {
			return uwsgi(app, "http,python3", "--http", addr, "--http-keepalive")
		}),
		// It closes each connection, and says so only when it is told to.
		simple(uwsgiSocket, noUwsgi, func(app, addr string) []string {
			return uwsgi(app, "python3", "--http-socket", addr, "--add-header", "Connection: close")
		}),
		nginxRow(noUwsgi),
		module("waitress", "waitress", "python3-waitress", func(app, addr string) []string {
			return []string{"-m", "waitress", "--threads", "4", "--listen", addr, app + ":app"}
		}),
		script(tornadoWSGI, "tornado"),
		script(geventWSGI, "gevent"),
	}
}

func uwsgi(app, plugins string, socket ...string) []string {
	return slices.Concat([]string{"uwsgi", "--plugins", plugins}, socket, []string{"--master", "--processes", workers, "--listen", "1024",
		"--module", app + ":app", "--need-app", "--disable-logging", "--die-on-term"})
}

// lacks is why a program cannot be run, "" when it can.
func lacks(program, debian string) string {
	if _, err := exec.LookPath(program); err != nil {
		return "no " + program + " (apt-get install " + debian + ")"
	}
	return ""
}

// nginxConfig has nginx's own defaults but for what a comparison needs: a file descriptor for each client, and connections that live as
// long as those of the others.
const nginxConfig = `daemon off;
USER
worker_processes WORKERS;
worker_rlimit_nofile 8192;
error_log stderr warn;
pid DIR/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 1000000;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDR backlog=4096;
		location / {
			uwsgi_pass unix:DIR/app.sock;
			uwsgi_param QUERY_STRING $query_string;
			uwsgi_param REQUEST_METHOD $request_method;
			uwsgi_param CONTENT_TYPE $content_type;
			uwsgi_param CONTENT_LENGTH $content_length;
			uwsgi_param REQUEST_URI $request_uri;
			uwsgi_param PATH_INFO $document_uri;
			uwsgi_param SERVER_PROTOCOL $server_protocol;
			uwsgi_param REMOTE_ADDR $remote_addr;
			uwsgi_param REMOTE_PORT $remote_port;
			uwsgi_param SERVER_ADDR $server_addr;
			uwsgi_param SERVER_PORT $server_port;
			uwsgi_param SERVER_NAME $server_name;
		}
	}
}
`

func nginxRow(missing string) row {
	r := row{name: nginxUwsgi, missing: missing, prepare: func(app string, port int) (l launch, err error) {
		dir, err := os.MkdirTemp("", "bench-nginx-")
		if err != nil {
			return l, err
		}
		l.clean = func() { _ = os.RemoveAll(dir) }
		user := ""
		if os.Geteuid() == 0 { // or its workers could not reach the socket
			user = "user root;"
		}
		config := strings.NewReplacer("DIR", dir, "ADDR", local(port), "USER", user, "WORKERS", workers).Replace(nginxConfig)
		name := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(name, []byte(config), 0o644); err != nil {
			l.clean()
			return l, err
		}
		l.commands = [][]string{
			uwsgi(app, "python3", "--socket", filepath.Join(dir, "app.sock")),
			{"nginx", "-e", "stderr", "-p", dir, "-c", name},
		}
		return l, nil
	}}
	if r.missing == "" {
		r.missing = lacks("nginx", "nginx")
	}
	return r
}

// chooseRows keeps those that --only names.
func (o *options) chooseRows(rows []row) ([]row, error) {
	for _, name := range o.only {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return nil, fmt.Errorf("--only: there is no server %q", name)
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return len(o.only) > 0 && !slices.Contains(o.only, r.name) }), nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
