package index

import "testing"

func BenchmarkAppendKey(b *testing.B) {
	ns, err := NewNamespaces(append(Builtin(), Namespace{Name: "cookie.publisher-a"}, Namespace{Name: "crm.acme"}))
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"hash":   "email_sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"uuid":   "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc",
		"cookie": "cookie.publisher-a:9f8c1d6a40",
		"crm":    "crm.acme:C-123456",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var key []byte
			in := []byte(text)
			for b.Loop() {
				key, _, err = ns.AppendKey(key[:0], in)
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
