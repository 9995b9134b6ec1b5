package event_test

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/event"
)

// TestID finds the id of what is no change, where it is plain which.
func TestID(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"a","type":"nonsense"}`:              "a",
		`{"type":"link","x":[{"id":"b"}],"id":"a"}`: "a",
		`{"id":"a","type":`:                         "a",
		`{"id":"a","id":"b"}`:                       "",
		`{"id":"a","type":"link","id":"a"}`:         "",
		`{"ID":"a"}`:                                "",
		`{"id":1}`:                                  "",
		`{"id":""}`:                                 "",
		`{"id":"a b"}`:                              "",
		`{"id":"ann@mail.example\u00e9"}`:           "",
		`{"id":"` + strings.Repeat("a", 129) + `"}`: "",
		`["id","a"]`:                                "",
		`"id"`:                                      "",
		`{`:                                         "",
		``:                                          "",
		`{"id`:                                      "",
	} {
		if got := event.ID([]byte(text)); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}
