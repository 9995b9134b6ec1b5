package enrich

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
)

// checkSample is how many requests are checked before they are timed.
const checkSample = 500

// checkAll checks what a client is answered.
func (r *run) checkAll(client string, list []body) error {
	for i := range list[:min(len(list), checkSample)] {
		out, err := r.enrich(client, list[i].json)
		if err == nil {
			err = r.checkOne(&list[i], out)
		}
		if err != nil {
			return fmt.Errorf("request %d for %s: %w", i, client, err)
		}
	}
	return nil
}

// enrich returns the enriched request, nil where there is nothing to add. It is
// an error where that is for another reason than that it is nobody's.
func (r *run) enrich(client string, request []byte) ([]byte, error) {
	var v engine.View
	if err := r.pools.Begin(&v, client); err != nil {
		return nil, err
	}
	defer v.End()
	out, added, why, err := r.pools.Enrich(&v, nil, request, &engine.Enrich{})
	switch {
	case err != nil:
		return nil, err
	case !added && why != engine.Unknown:
		return nil, fmt.Errorf("nothing is added: %s", why)
	case !added:
		return nil, nil
	}
	return out, nil
}

// checkOne checks that a request has come back with one addition, the segments
// of its person, if it is somebody's, as prebid/openrtb reads both.
func (r *run) checkOne(b *body, out []byte) error {
	if b.person >= r.world.Persons() {
		if out != nil {
			return errors.New("something is added to a request of nobody")
		}
		return nil
	}
	if out == nil {
		return errors.New("nothing is added to a request of somebody")
	}
	var before, after openrtb2.BidRequest
	if err := errors.Join(json.Unmarshal(b.json, &before), json.Unmarshal(out, &after)); err != nil {
		return err
	}
	if after.User == nil || len(after.User.Data) == 0 {
		return errors.New("there is no user.data")
	}
	last := len(after.User.Data) - 1
	added := after.User.Data[last]
	after.User.Data = after.User.Data[:last]
	for _, u := range []*openrtb2.User{before.User, after.User} {
		if u != nil && len(u.Data) == 0 {
			u.Data = nil // none is as good as an empty list
		}
	}
	if !reflect.DeepEqual(before, after) {
		return errors.New("more has changed than user.data")
	}
	return r.checkData(b.person, &added)
}

func (r *run) checkData(person int, d *openrtb2.Data) error {
	if want := fmt.Appendf(nil, `{"segtax":%d}`, world.Segtax); d.Name != world.Domain || !bytes.Equal(d.Ext, want) {
		return fmt.Errorf("the addition is of %q, %s", d.Name, d.Ext)
	}
	want := map[string]bool{}
	for _, s := range r.world.Segments(person) {
		want[world.BidSegment(s)] = true
	}
	for _, s := range d.Segment {
		if !want[s.ID] {
			return fmt.Errorf("segment %q is not the person's", s.ID)
		}
		delete(want, s.ID)
	}
	if len(want) > 0 {
		return fmt.Errorf("of the person's segments %d are missing", len(want))
	}
	return nil
}
