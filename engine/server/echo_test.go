package server

import (
	"encoding/json"
	"slices"
	"testing"
)

// The ids of a batch come back as they were asked, whatever has to be escaped
// in whichever of them.
func TestBatchEchoesIDs(t *testing.T) {
	r := start(t, Options{})
	plain := []string{maidOne, "x", maidNobody}
	for _, odd := range []string{`"`, `\`, "\n", "é", `a","status":"matched`, "\u2028", `\u0041`} {
		for at := range len(plain) + 1 {
			ids := slices.Insert(slices.Clone(plain), at, odd)
			body, err := json.Marshal(map[string][]string{"ids": ids})
			must(t, err)
			var got struct {
				Results []struct{ ID string }
			}
			reply := r.ask(t, "POST", "/v1/match", "acme", string(body))
			must(t, json.Unmarshal([]byte(reply.body), &got))
			for i := range got.Results {
				if i >= len(ids) || got.Results[i].ID != ids[i] {
					t.Errorf("asked for %q, got %s", ids, reply.body)
					break
				}
			}
			if len(got.Results) != len(ids) {
				t.Errorf("%d results for %q", len(got.Results), ids)
			}
		}
	}
}
