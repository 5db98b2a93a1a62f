package exchange

import (
	"errors"
	"os"

	"github.com/weirhttp/weir/app"
)

// enclosure is part of a file in the content of a response that a mailbox passes on, and the content behind it.
type enclosure struct {
	file      app.File // nil: there is none
	release   func()   // gives file back to whoever it belongs to; called on a goroutine
	offset, n int64
	behind    []byte
}

// unsent is what the file counts for, to one who asks how much waits for the client.
func (e *enclosure) unsent() int { return int(min(e.n, HighWater+1)) }

// close releases the file. The last reference to one without a name frees its blocks, for which no loop is to wait.
func (e *enclosure) close() {
	if e.file != nil {
		go e.release()
		e.file = nil
	}
}

// name is that of the file, for the log.
func (e *enclosure) name() string {
	if named, ok := e.file.(interface{ Name() string }); ok {
		return named.Name()
	}
	return ""
}

var errFileShort = errors.New("the file is shorter than what was to be sent of it")

// SendFile implements app.Deferred.
func (d *Deferred) SendFile(file *os.File, offset, count int64) error {
	e := enclosure{file: file, release: func() { _ = file.Close() }, offset: offset}
	defer func() { e.close() }()
	if err := app.CheckSection(file, offset, count); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.begin()
	switch {
	case x == nil || x.phase == ended:
		return app.ErrGone
	case x.phase == waiting:
		return errNotStarted
	}
	x.written = true
	n, ok := x.admit(count)
	if !ok {
		return app.ErrGone
	}
	if n > 0 {
		e.n = n
		x.mail.enclose(e)
		e.file = nil
	}
	x.wire.Flush()
	d.behind = d.behind || x.wire.Unsent() > HighWater
	return nil
}

// encloseBody leaves the file of a body to the mailbox, which closes the body: nothing is to be read here, and no goroutine waits for
// the client.
func (x *Exchange) encloseBody(file app.File, offset, n int64) {
	host, body := x.host, x.body
	x.body, x.left = nil, 0
	x.mail.enclose(enclosure{file: file, release: func() { host.closeAway(body) }, offset: offset, n: n})
	x.finish()
}

// enclose puts a file behind the content so far.
func (m *mailbox) enclose(e enclosure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		e.close()
		return
	}
	m.files = append(m.files, e)
	m.queued += e.unsent()
}

// next takes the file that is to be sent now, and makes what is behind it the next content. m.mu is held.
func (m *mailbox) next() *enclosure {
	if len(m.files) == 0 {
		return nil
	}
	m.sending = m.files[0]
	m.files[0] = enclosure{}
	m.files = m.files[1:]
	m.data, m.sending.behind = m.sending.behind, nil
	m.queued -= m.sending.unsent()
	return &m.sending
}

// dropFiles closes the files that are not being sent, and has Finish not wait for one that is.
func (m *mailbox) dropFiles() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = true
	m.closeFiles()
}

// closeFiles closes the files that are not being sent. m.mu is held.
func (m *mailbox) closeFiles() {
	for i := range m.files {
		m.files[i].close()
	}
	m.files = nil
}

// fileSent is called on the loop when the client has taken a file, or there is no more of it.
func (m *mailbox) fileSent() {
	short := m.wire.FileShort()
	m.mu.Lock()
	name := m.sending.name()
	m.sending.close()
	if short {
		m.gone = true
		m.closeFiles()
	}
	m.mu.Unlock()
	if short {
		m.x.host.report("response cut short", errFileShort, "file", name)
		m.wire.Finish(false)
		return
	}
	m.deliver()
}
