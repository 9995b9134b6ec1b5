package server

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/swap"
)

func TestSwapBoundsInConfig(t *testing.T) {
	want := swap.DefaultBounds()
	for _, f := range want.Fields() {
		name := f.Name
		c, err := ParseConfig("m.yaml", []byte("stores: [/s]\nswap: {"+name+": 7}\n"))
		if err != nil {
			t.Fatal(err)
		}
		b := swap.DefaultBounds()
		for _, g := range b.Fields() {
			if g.Name == name {
				*g.Value = 7
			}
		}
		if c.Swap == nil || *c.Swap != b {
			t.Errorf("%s: got %+v", name, c.Swap)
		}
		for _, bad := range []string{"-1", "1.5", "x", "99999999999"} {
			if _, err := ParseConfig("m.yaml", []byte("stores: [/s]\nswap: {"+name+": "+bad+"}\n")); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %s: %v", name, bad, err)
			}
		}
	}
	c, err := ParseConfig("m.yaml", []byte("stores: [/s]\n"))
	if err != nil || c.Swap == nil || *c.Swap != want {
		t.Errorf("without a section: %+v, %v", c.Swap, err)
	}
	if c, err = ParseConfig("m.yaml", []byte("stores: [/s]\nswap: off\n")); err != nil || c.Swap != nil {
		t.Errorf("off: %+v, %v", c.Swap, err)
	}
	for _, bad := range []string{"swap: on", "swap: {shrink: 3}", "swap: [off]"} {
		if _, err := ParseConfig("m.yaml", []byte("stores: [/s]\n"+bad+"\n")); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
