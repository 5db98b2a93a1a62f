package app

// Blocking returns an Application that does what application does, on a goroutine instead of the
// event loop from the start. It is a hint for code that is known to sleep, or to wait for locks, files and databases: without it the
// loop has to notice first. The environ is detached: its views live as long as the request.
//
// It works under middleware too: a Body that wraps the one returned here, and so hides it from the server,
// calls application where its own Next is called.
func Blocking(application Application) Application {
	return func(environ *Environ, start StartResponse) Body {
		// Here and not in the server, which does not see a BlockingBody that middleware has wrapped.
		environ.Detach()
		return &BlockingBody{application: application, environ: environ, start: start}
	}
}

// BlockingBody is what an Application made by Blocking returns: the call, not made yet.
type BlockingBody struct {
	application Application
	environ     *Environ
	start       StartResponse
	body        Body
	unused      func() error // is called by Close when the call was not made
}

// around returns a BlockingBody with the call of another one in it. drop is called when that is not made.
func (b *BlockingBody) around(call func() Body, drop func()) *BlockingBody {
	return &BlockingBody{
		application: func(*Environ, StartResponse) Body { return call() },
		unused:      func() error { drop(); return b.Close() },
	}
}

// OnCall has call see each call of application: call calls do, which is the application's, and returns what that returns, or something else. It is
// called on the loop, and once more on a goroutine where the application is one that Blocking has made.
func OnCall(application Application, environ *Environ, start StartResponse, call func(do func() Body) Body) Body {
	var wrap func(do func() Body) Body
	wrap = func(do func() Body) Body {
		body := call(do)
		if blocking, ok := body.(*BlockingBody); ok {
			return blocking.around(func() Body { return wrap(blocking.Call) }, func() {})
		}
		return body
	}
	return wrap(func() Body { return application(environ, start) })
}

// blockingOver returns a BlockingBody over a body that is there already.
func blockingOver(body Body) *BlockingBody {
	return &BlockingBody{application: func(*Environ, StartResponse) Body { return body }, unused: body.Close}
}

// Application returns Call as an Application, for servers. What it is given does not matter: the environ and the start
// are those that middleware has passed on.
func (b *BlockingBody) Application() Application {
	return func(*Environ, StartResponse) Body { return b.Call() }
}

// Call calls the application, the first time, with the environ and the start that middleware has passed to
// it, and returns its body, which may be a BlockingBody again. It is for servers, on a goroutine. Close of the
// BlockingBody closes that body too: a server calls one of the two.
func (b *BlockingBody) Call() Body {
	if b.body == nil {
		if b.body = b.application(b.environ, b.start); b.body == nil {
			b.body = Empty()
		}
	}
	return b.body
}

// Next calls the application where nobody has looked for a BlockingBody.
func (b *BlockingBody) Next() ([]byte, error) { return b.Call().Next() }

// Close closes the application's body, if there is one, and what middleware has ready for it.
func (b *BlockingBody) Close() error {
	if b.body == nil && b.unused != nil {
		return b.unused()
	}
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}
