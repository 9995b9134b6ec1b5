package build

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// What a tenant declares for bid requests is in the snapshot as it was declared:
// also a segment that no row has, and no other.
func TestBidStreamIsBuilt(t *testing.T) {
	build := func(declared string) *snapshot.Snapshot {
		t.Helper()
		text := strings.Replace(small["onboard.yaml"], "name: acme\n", "name: acme\n    domain: acme.example\n"+declared, 1)
		o := options(writeInputs(t, with(map[string]string{"onboard.yaml": text})), filepath.Join(t.TempDir(), "store"))
		run(t, o)
		return openCurrent(t, o.Store)
	}
	plain := build("")
	if b := plain.Tenants[0].BidStream; b != nil {
		t.Errorf("a tenant that declares nothing has %+v", b)
	}
	s := build("    bid_stream: {segtax: 501, segments: {vip: A1, of.nobody: A2}}\n")
	want := []snapshot.Tenant{{
		Name: "acme", Domain: "acme.example", ConsentMaxAge: 36,
		BidStream: &snapshot.BidStream{Segtax: 501, Segments: map[string]string{"vip": "A1", "of.nobody": "A2"}},
	}}
	if !reflect.DeepEqual(s.Tenants, want) {
		t.Errorf("tenants %+v, want %+v", s.Tenants, want)
	}
	if len(s.Segments) != 2 || !reflect.DeepEqual(s.Segments, plain.Segments) {
		t.Errorf("segments %v; without the declaration %v", s.Segments, plain.Segments)
	}
	same := build("    bid_stream:\n      segments: {of.nobody: \"A2\", vip: \"A1\"}\n      segtax: 501\n")
	if same.Name() != s.Name() || same.ID != s.ID {
		t.Errorf("%s declares the same as %s", same.Name(), s.Name())
	}
	for _, other := range []*snapshot.Snapshot{
		plain, build("    bid_stream: {segtax: 502, segments: {vip: A1, of.nobody: A2}}\n"),
		build("    bid_stream: {segtax: 501, segments: {vip: A2, of.nobody: A1}}\n"), build("    bid_stream: {segtax: 501, segments: {vip: A1}}\n"),
	} {
		if other.ID == s.ID || other.Name() == s.Name() {
			t.Errorf("%+v has the id of %+v", other.Tenants[0].BidStream, s.Tenants[0].BidStream)
		}
	}
}
