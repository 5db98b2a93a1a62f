package python

import _ "embed"

// workerSource is what workers run.
//
//go:embed worker.py
var workerSource []byte
