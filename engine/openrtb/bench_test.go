package openrtb_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/engine/openrtb"
)

// BenchmarkEnrich compares one enrichment without its lookup with what a bidder
// does who decodes and encodes the request.
func BenchmarkEnrich(b *testing.B) {
	body, err := os.ReadFile("testdata/requests/site-banner.json")
	if err != nil {
		b.Fatal(err)
	}
	add := openrtb.Additions{
		Data: []openrtb.Data{{Name: "acme.example", Segtax: 501, Segments: []string{"A1", "A17", "B204"}}},
		EIDs: []openrtb.EID{{Inserter: "acme.example", Matcher: "acme.example", Source: "id.acme.example", Method: 3, ID: []byte("f3c61d0e5b6a4a0f9d5e2f1b"), AType: 3}},
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		var r openrtb.Request
		var out []byte
		for b.Loop() {
			if err := r.Scan(body); err != nil {
				b.Fatal(err)
			}
			out, _ = r.Append(out[:0], &add)
		}
	})
	b.Run("ours, scan", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		var r openrtb.Request
		for b.Loop() {
			if err := r.Scan(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("prebid", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var q openrtb2.BidRequest
			if err := json.Unmarshal(body, &q); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(&q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
