package main

import (
	"encoding/base64"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/grip"
	"github.com/weirhttp/weir/server/admin"
)

// gripFlags put GRIP around the application (docs/grip.md).
type gripFlags struct {
	Grip             bool   `help:"Hold the requests of the application that it wants held (Grip-Hold and others), and publish what comes to POST /publish/ at the address of --admin (docs/grip.md)."`
	GripKey          string `secret:"" placeholder:"KEY" help:"Key that signs requests to the application (Grip-Sig) and verifies the tokens of those who publish; with base64: in front, octets in base64. Better in WEIR_GRIP_KEY."`
	GripIss          string `name:"grip-iss" default:"pushpin" placeholder:"TEXT" help:"Issuer in Grip-Sig (default: ${default})."`
	GripPrefix       string `placeholder:"TEXT" help:"What publishers have in front of the names of channels that the application subscribes clients to."`
	GripRequireToken bool   `help:"Refuse those who publish without a token."`

	proxy *grip.Proxy // nil: there is none
}

// check checks the flags. address is that of --admin.
func (f *gripFlags) check(address string) error {
	_, err := f.key()
	switch {
	case err != nil:
		return &usageError{"--grip-key: what is behind base64: is not base64"}
	case !f.Grip && (f.GripKey != "" || f.GripPrefix != "" || f.GripRequireToken):
		return &usageError{"--grip-key, --grip-prefix and --grip-require-token are for --grip, which is not set"}
	case f.Grip && address == "":
		return &usageError{"--grip needs --admin ADDRESS, where POST /publish/ is answered"}
	case f.GripRequireToken && f.GripKey == "":
		return &usageError{"--grip-require-token needs --grip-key KEY, which the tokens are made with"}
	}
	return nil
}

// key is the key in octets.
func (f *gripFlags) key() ([]byte, error) {
	if text, ok := strings.CutPrefix(f.GripKey, "base64:"); ok {
		return base64.StdEncoding.DecodeString(text)
	}
	return []byte(f.GripKey), nil
}

// maxMessage is the hub's bound for a message, 0 for its default: an item of a publish request is one.
func (f *gripFlags) maxMessage() int {
	if f.Grip {
		return 1_000_000
	}
	return 0
}

// around returns application with GRIP around it. shared says that other nodes publish to the hub as well.
func (f *gripFlags) around(application app.Application, topics *hub.Hub, shared bool) app.Application {
	if !f.Grip {
		return application
	}
	key, _ := f.key() // checked
	f.proxy = grip.New(topics, grip.Options{Key: key, Issuer: f.GripIss, Prefix: f.GripPrefix, Shared: shared})
	return f.proxy.Application(application)
}

// publishAt adds what publishes to the listener for operators.
func (f *gripFlags) publishAt(operators *admin.Server) {
	if f.proxy == nil {
		return
	}
	publisher := f.proxy.Publisher(f.GripRequireToken)
	operators.Handle("/publish/", publisher)
	operators.Handle("/publish", publisher)
}
