package normalise

import "bytes"

// A token is a number or a word of an address.
type token struct {
	text []byte
	// number says that it begins with a digit; a suffix may follow.
	number bool
	// glued says that nothing is between it and the one before.
	glued bool
	// apostrophe says that one follows.
	apostrophe bool
	// ordinal says that it was written as 2nd, 2e or 2º.
	ordinal bool
	kind    kind
	dropped bool
}

// mark reports whether it is one of the marks.
func (t *token) mark() bool { return t.text[0] == ordinalMark || t.text[0] == unitMark }

// addAddress adds the words of an address; false where it names no place.
func (p *postal) addAddress(address, city string, postcode []byte, land land) bool {
	p.tokenise(p.fold(address, land))
	p.dropCity(city, postcode, land)
	p.joinNumbers(land)
	p.rename(land)
	p.dropUnits(land)
	place := false
	for i := range p.tokens {
		t := &p.tokens[i]
		if t.dropped || t.kind == article {
			continue
		}
		place = place || t.number || t.kind != streetType && len(t.text) > 1
		p.words = append(p.words, t.text)
	}
	return place
}

// tokenise splits folded text into words and numbers.
func (p *postal) tokenise(text []byte) {
	p.tokens = p.tokens[:0]
	glued := false
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == ' ':
			glued, i = false, i+1
			continue
		case c == apostropheMark:
			if n := len(p.tokens); n > 0 && glued {
				p.tokens[n-1].apostrophe = true
			}
			glued, i = false, i+1
			continue
		case c == ordinalMark || c == unitMark:
			i++
		default:
			for i++; i < len(text) && class(text[i]) == class(c); i++ {
			}
		}
		t := token{text: text[start:i:i], number: class(text[start]) == '0', glued: glued}
		if t.number {
			t.text = trimZeros(t.text)
		}
		p.tokens = append(p.tokens, t)
		glued = true
	}
}

// trimZeros drops leading zeros of a number, but the last digit.
func trimZeros(number []byte) []byte {
	for len(number) > 1 && number[0] == '0' {
		number = number[1:]
	}
	return number
}

// class tells digits ('0'), letters ('a') and each of the marks apart.
func class(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return '0'
	case c == ' ' || c == apostropheMark || c == unitMark || c == ordinalMark:
		return c
	}
	return 'a'
}

// dropCity drops a postcode with the city behind it.
func (p *postal) dropCity(city string, postcode []byte, land land) {
	postcode = trimZeros(postcode)
	at := len(p.tokens) - 1
	for ; at > 0 && (!p.tokens[at].number || !bytes.Equal(p.tokens[at].text, postcode)); at-- {
	}
	if at <= 0 || len(postcode) < 4 {
		return
	}
	p.tokens[at].dropped = true
	cityText := p.fold(city, land)
	for at++; at < len(p.tokens); at++ {
		for word := range words(cityText) {
			if bytes.Equal(word, p.tokens[at].text) {
				p.tokens[at].dropped = true
			}
		}
	}
	kept := p.tokens[:0]
	for _, t := range p.tokens {
		if !t.dropped {
			kept = append(kept, t)
		}
	}
	p.tokens = kept
}

// joinNumbers puts the suffixes of numbers to them, and tells ordinals.
func (p *postal) joinNumbers(land land) {
	kept := p.tokens[:0]
	for i := 0; i < len(p.tokens); i++ {
		t := p.tokens[i]
		if !t.number || i+1 == len(p.tokens) {
			kept = append(kept, t)
			continue
		}
		next := p.tokens[i+1]
		switch {
		case next.text[0] == ordinalMark || isOrdinal(next, land):
			t.ordinal = true
			i++
		case p.isSuffix(i+1, land):
			start := len(p.text)
			p.text = append(p.text, t.text...)
			if long, ok := frenchSuffixes[string(next.text)]; ok && land&french != 0 {
				p.text = append(p.text, long...)
			} else {
				p.text = append(p.text, next.text...)
			}
			t.text = p.text[start:len(p.text):len(p.text)]
			i++
		}
		kept = append(kept, t)
	}
	p.tokens = kept
}

// isOrdinal reports whether t, behind a number, makes it 1st, 2e or 3eme.
func isOrdinal(t token, land land) bool {
	switch string(t.text) {
	case "eme", "ieme", "ere", "nd", "rd", "th", "er":
		return t.glued || land&french != 0 && len(t.text) > 2
	case "st":
		return t.glued
	case "e":
		return t.glued && land&french != 0
	}
	return false
}

// isSuffix reports whether token i, behind a number, is part of it.
func (p *postal) isSuffix(i int, land land) bool {
	t := p.tokens[i]
	if t.number || t.apostrophe {
		return false
	}
	switch string(t.text) {
	case "bis", "ter", "quater":
		return true
	}
	if len(t.text) != 1 || t.mark() {
		return false
	}
	if t.glued {
		return true
	}
	switch c := t.text[0]; {
	case land&usa != 0 && bytes.IndexByte([]byte("nsew"), c) >= 0:
		return false // North Street
	case land&french != 0 && c == 'r':
		return false // rue
	case land&french != 0 && (c == 'd' || c == 'l'):
		// 12 D rue Hugo, but 12 l Abreuvoir
		return i+1 == len(p.tokens) || lookUp(p.tokens[i+1].text, land).kind == streetType
	}
	return true
}

// rename gives words the one form of their abbreviations, and their kind.
func (p *postal) rename(land land) {
	split := len(p.tokens)
	for i := range split {
		t := &p.tokens[i]
		if t.number {
			continue
		}
		if stem, ok := compound(t.text); ok && land&germanic != 0 {
			p.tokens = append(p.tokens, token{text: stem.to, kind: streetType})
			t = &p.tokens[i]
			t.text = t.text[:len(t.text)-len(stem.suffix)]
			continue
		}
		if e := lookUp(t.text, land); e.to != nil {
			t.text, t.kind = e.to, e.kind
		}
	}
}

// dropUnits drops what lies inside a building: a word for it, and the number
// or letter that belongs to the word.
func (p *postal) dropUnits(land land) {
	numbers := 0
	for i := range p.tokens {
		t := &p.tokens[i]
		if t.number && !t.dropped {
			numbers++
		}
		if t.dropped || t.kind == plain && !t.ordinal {
			continue
		}
		switch {
		case t.ordinal && land&iberian != 0 && numbers > 1 && i > 0 && t.number: // 3, 2º B
			t.dropped = true
			p.dropDesignator(i+1, false)
		case t.kind == numberWord && i+1 < len(p.tokens) && (p.tokens[i+1].number || p.tokens[i+1].mark()):
			t.dropped = true
		case t.kind == ground:
			t.dropped = true
		case t.kind == floor && i > 0 && p.tokens[i-1].ordinal:
			t.dropped, p.tokens[i-1].dropped = true, true
			p.dropDesignator(i+1, false)
		case t.kind == unit || t.kind == floor:
			if p.dropDesignator(i+1, true) {
				t.dropped = true
			} else if t.kind == floor && numbers > 1 && p.tokens[i-1].number {
				t.dropped, p.tokens[i-1].dropped = true, true
			}
		}
	}
	for i := range p.tokens {
		if t := &p.tokens[i]; t.mark() {
			t.dropped = true
		}
	}
}

// dropDesignator drops the number or letter at i, and the side behind it; it
// reports whether there was one. Without numbers it drops a letter alone.
func (p *postal) dropDesignator(i int, numbers bool) bool {
	for i < len(p.tokens) && (p.tokens[i].kind == numberWord || p.tokens[i].mark()) {
		p.tokens[i].dropped = true
		i++
	}
	found := false
	if i < len(p.tokens) && !p.tokens[i].dropped {
		t := &p.tokens[i]
		letter := !t.number && len(t.text) == 1
		if letter || t.number && numbers {
			t.dropped, found = true, true
			i++
			if letter && i < len(p.tokens) && p.tokens[i].number && p.tokens[i].glued {
				p.tokens[i].dropped = true
				i++
			}
		}
	}
	if i < len(p.tokens) && p.tokens[i].kind == side {
		p.tokens[i].dropped = true
	}
	return found
}
