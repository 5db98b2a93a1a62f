package hub_test

import (
	"testing"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/storetest"
)

func TestMemoryConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T, bounds hub.MemoryOptions) hub.Store { return hub.NewMemory(bounds) })
}
