package app

import "errors"

// ErrGone is what a write returns when the client has left or the response was aborted.
var ErrGone = errors.New("app: client is gone")

// ErrAbort, returned by Body.Next or passed to panic, cuts the connection off without an answer and without a
// line in the log: the application knows why.
var ErrAbort = errors.New("app: response aborted")

// StartResponseError is a breach of the contract by the application, found when it was made.
// StartResponse panics with it.
type StartResponseError struct {
	// Reason is one sentence that names the rule.
	Reason string
	// Cause is the error that the application passed, if it passed one.
	Cause error
}

func (e *StartResponseError) Error() string {
	if e.Cause != nil {
		return "start_response: " + e.Reason + ": " + e.Cause.Error()
	}
	return "start_response: " + e.Reason
}

func (e *StartResponseError) Unwrap() error { return e.Cause }
