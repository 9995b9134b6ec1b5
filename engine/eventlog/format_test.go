package eventlog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// FORMAT.md is about this version, and about sizes as they are.
func TestFormatDocument(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("\nVersion %d.", Version), headMagic, fmt.Sprintf("at 0 and at %d", slotGap), fmt.Sprintf("of the %d bytes before", slotSize-4),
		fmt.Sprintf("state that HEAD had (%d)", stateSize), fmt.Sprintf("1 Event, 2 Gap, 3 Trim, 4 Note. `%#x` is", flagRedacted), fmt.Sprintf("`%#x` is kept", flagKept),
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if Event != 1 || Gap != 2 || Trim != 3 || Note != 4 {
		t.Error("the kinds have other numbers")
	}
}

// golden are records as bytes, in hexadecimal: what is written once has to be
// read for ever. The hashes were computed with sha256sum.
func TestGolden(t *testing.T) {
	salt := "000102030405060708090a0b0c0d0e0f"
	secret, err := hex.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	s := &stored{secret: append(secret, "hello"...), digest: [16]byte{15: 0xdd}}
	s.Seq, s.Kind, s.Time, s.Token = 7, Event, clock(), [16]byte{0: 0xaa}
	s.Body = s.secret[saltSize:]
	s.Prev = Hash{31: 1}
	s.seal()
	s.Hash = s.Chain(s.Prev)
	fixed := "18ec33b417c681f4" + "aa000000000000000000000000000000" + goldenHash
	prev := "0000000000000000000000000000000000000000000000000000000000000001"
	check := func(want string) {
		t.Helper()
		got := s.encode(nil)
		if hex.EncodeToString(got) != want {
			t.Errorf("it is\n%x and not\n%s", got, want)
		}
		d, err := decode(s.Seq, got)
		if err != nil {
			t.Fatal(err)
		}
		d.Prev = s.Prev
		if err := d.check(); err != nil || d.Hash != s.Hash || !bytes.Equal(d.Body, s.Body) || d.digest != s.digest || !d.Time.Equal(s.Time) || d.Token != s.Token {
			t.Errorf("%+v: %v", d, err)
		}
	}
	check("01" + fixed + "000000000000000000000000000000dd" + salt + "68656c6c6f")
	s.kept = true
	check("21" + fixed + prev + "000000000000000000000000000000dd" + salt + "68656c6c6f")
	s.redact()
	check("31" + fixed + prev + goldenCommitment)
	s.kept = false
	check("11" + fixed + goldenCommitment)
	if _, err := decode(7, append([]byte{0x14}, s.encode(nil)[1:]...)); err == nil {
		t.Error("a note is redacted")
	}

	s = &stored{secret: append(slices.Clip(secret), "refused"...)}
	s.Seq, s.Kind, s.Time, s.Prev = 8, Note, clock(), Hash{31: 1}
	s.Body = s.secret[saltSize:]
	s.seal()
	s.Hash = s.Chain(s.Prev)
	zero := "00000000000000000000000000000000"
	check("04" + "18ec33b417c681f4" + zero + goldenNote + zero + salt + "72656675736564")
	s.kept = true
	check("24" + "18ec33b417c681f4" + zero + goldenNote + prev + zero + salt + "72656675736564")

	slot := encodeSlot(about{Version, ID{15: 5}}, state{commit: 2, seq: 3, hash: Hash{0: 9}})
	if want := "4d4c4f4748454144" + "00000001" + "00000000000000000000000000000005" + "0000000000000002" + "0000000000000003" +
		"0900000000000000000000000000000000000000000000000000000000000000"; hex.EncodeToString(slot[:slotSize-4]) != want {
		t.Errorf("a slot is %x", slot)
	}
}

// Bytes of any kind are decoded to what they came from, or not at all.
func FuzzDecode(f *testing.F) {
	s := sealed(Event, &Entry{Token: [16]byte{1}}, appendSecret(nil, []byte("body")))
	f.Add(s.encode(nil))
	s.redact()
	f.Add(s.encode(nil))
	s.kept = true
	f.Add(s.encode(nil))
	s = sealed(Note, &Entry{}, appendSecret(nil, []byte("note")))
	f.Add(s.encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(1, b)
		if err != nil {
			return
		}
		if again := s.encode(nil); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

// FuzzSlot reads any slot of HEAD, and takes only what is sound.
func FuzzSlot(f *testing.F) {
	f.Add(encodeSlot(about{Version, ID{1}}, state{1, 2, Hash{3}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, s, ok := decodeSlot(b); ok && !bytes.Equal(encodeSlot(a, s), b) {
			t.Errorf("%x became %x", b, encodeSlot(a, s))
		}
	})
}

const (
	goldenCommitment = "7c9f5b9e4cc36c703715bb6eedcbb8bd80840fd48d135a07af861d1a027be360"
	goldenNote       = "be6a42fa0838bb3211b01d69f0a18919982e7ab199ad434d2c4f7b964bf35ceb"
	goldenHash       = "ecc40f69db4360926414989233e804dfa5c97155ed4e5ffffcb871dfde64c416"
)
