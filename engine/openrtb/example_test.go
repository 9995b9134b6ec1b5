package openrtb_test

import (
	"fmt"

	"github.com/matchd/matchd/engine/openrtb"
)

func Example() {
	var r openrtb.Request // one a worker, used again and again
	var out []byte

	body := []byte(`{"id":"1", "device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}, "regs":{"gdpr":0}}`)
	if err := r.Scan(body); err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range r.IDs() {
		fmt.Printf("id %s\n", id.Value)
	}
	for _, s := range r.Signals() {
		fmt.Println("gdpr", s.Signal == openrtb.GDPR, string(s.Value), s.Bad)
	}

	out, added := r.Append(out[:0], &openrtb.Additions{
		Data: []openrtb.Data{{Name: "acme.example", Segtax: 501, Segments: []string{"A1"}}},
	})
	fmt.Println(added)
	fmt.Printf("%s\n", out)
	// Output:
	// id 6d92078a-8246-4ba4-ae5b-76104861e7dc
	// gdpr true 0 false
	// true
	// {"id":"1", "device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}, "regs":{"gdpr":0},"user":{"data":[{"name":"acme.example","ext":{"segtax":501},"segment":[{"id":"A1"}]}]}}
}

func ExampleSyntaxError() {
	var r openrtb.Request
	fmt.Println(r.Scan([]byte(`{"id":"1",}`)))
	// Output: byte 10: expected a key
}
