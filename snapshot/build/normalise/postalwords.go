package normalise

import "strings"

// A land is what the reading of addresses depends on of a country.
type land uint

const (
	french     land = 1 << iota // B is bis, r. is rue
	german                      // ae is ä
	germanic                    // Hauptstr. is Haupt-Straße
	iberian                     // 2º is a floor
	italian                     // v. is via
	usa                         // N is north, ZIP+4
	digitCodes                  // postcodes are digits alone
	fiveDigits                  // and there are five of them
)

func landOf(country []byte) land {
	switch string(country) {
	case "fr", "mc":
		return french | digitCodes | fiveDigits
	case "be":
		return french | germanic | digitCodes
	case "lu":
		return french | german | germanic | digitCodes
	case "ch":
		return french | german | germanic | digitCodes
	case "de":
		return german | germanic | digitCodes | fiveDigits
	case "at", "li":
		return german | germanic | digitCodes
	case "nl":
		return germanic
	case "es":
		return iberian | digitCodes | fiveDigits
	case "pt":
		return iberian | digitCodes
	case "it":
		return italian | digitCodes | fiveDigits
	case "us":
		return usa | digitCodes | fiveDigits
	case "ca":
		return usa
	}
	return 0
}

// countryNames are names that exports have instead of a code, folded and
// without spaces.
var countryNames = map[string]string{
	"france": "fr", "fra": "fr", "frankreich": "fr", "francia": "fr",
	"germany": "de", "deutschland": "de", "allemagne": "de", "deu": "de",
	"spain": "es", "espana": "es", "espagne": "es", "esp": "es",
	"italy": "it", "italia": "it", "italie": "it", "ita": "it",
	"netherlands": "nl", "nederland": "nl", "paysbas": "nl", "nld": "nl",
	"belgium": "be", "belgique": "be", "belgie": "be", "bel": "be",
	"switzerland": "ch", "suisse": "ch", "schweiz": "ch", "svizzera": "ch", "che": "ch",
	"austria": "at", "osterreich": "at", "oesterreich": "at", "autriche": "at", "aut": "at",
	"luxembourg": "lu", "luxemburg": "lu", "lux": "lu", "portugal": "pt", "prt": "pt",
	"unitedkingdom": "gb", "greatbritain": "gb", "uk": "gb", "gbr": "gb", "royaumeuni": "gb", "england": "gb",
	"unitedstates": "us", "unitedstatesofamerica": "us", "usa": "us", "etatsunis": "us", "canada": "ca", "can": "ca",
}

// A kind is what a word of an address is.
type kind uint8

const (
	plain      kind = iota
	streetType      // rue, road: no place by itself
	article         // de, the: left out
	numberWord      // no. before a number
	unit            // flat: with the number or letter behind it
	floor           // 3rd floor, floor 3
	ground          // rdc: by itself
	side            // left, right: behind one of these
)

// An entry is the form that a word gets, and its kind.
type entry struct {
	to   []byte
	kind kind
}

// lookUp is the entry of a folded word; one that has none has no form either.
func lookUp(word []byte, land land) entry {
	var own map[string]entry
	switch {
	case land&french != 0:
		own = frenchEntries
	case land&iberian != 0:
		own = iberianEntries
	case land&italian != 0:
		own = italianEntries
	case land&usa != 0:
		own = usEntries
	}
	if e, ok := own[string(word)]; ok {
		return e
	}
	return entries[string(word)]
}

// What words are in one country alone.
var (
	frenchEntries  = parseEntries(map[kind]string{streetType: "rue r"})
	iberianEntries = parseEntries(map[kind]string{streetType: "calle c cl\nrua r"})
	italianEntries = parseEntries(map[kind]string{streetType: "via v\nstrada str"})
	usEntries      = parseEntries(map[kind]string{
		plain: "north n\nsouth s\neast e\nwest w",
		unit:  "ste suite",
	})
)

// entries are the words that have several forms; the first of each line is the
// one that they get. Street and saint share "st", which stands for both.
var entries = parseEntries(map[kind]string{
	streetType: `
		st street str strasse straat strt saint snt
		rue ruelle
		av ave avenue aven avenida avda avd
		bd boulevard blvd boul bld blv bvd
		pl place plc platz plaza plz piazza pza pzza plein pln
		ch chemin che chem chm
		imp impasse
		all allee allees alee
		rte route
		rd road
		sq square
		quai qu
		crs cours corso cso
		psg passage pass pas
		fbg faubourg fg faub
		chs chaussee chee
		ln lane laan
		dr drive docteur doctor doktor dott
		ct court
		cres crescent cr
		cl close
		gdns gardens gdn garden
		ter terrace terr
		hwy highway
		pkwy parkway
		weg
		gasse
		calle
		rua
		ps paseo pso
		ctra carretera cra
		cno camino
		trav traverse travesia travessa
		via
		vle viale
		vic vicolo vico`,
	plain: `
		ste sainte
		gal general gen gl
		mal marechal
		col colonel
		cne capitaine cap captain
		cdt commandant cmdt
		pdt president pres
		prof professeur professor
		res residence resid
		lot lotissement
		ctre centre center
		mt mount
		ft fort
		north
		south
		east
		west
		sta santa
		sto santo`,
	article: `de du des d la le les l et en a au aux sur sous s
		the of and
		der die das den dem zum zur zu am an im in von vom und auf
		el los las del y
		il lo gli i della dello delle dei degli di da dal al
		van het ten op
		do dos e`,
	numberWord: "no n nr num numero nummer number hausnummer hausnr",
	unit: `apt appt app appartement apartment appart apto apartamento appartamento flat unit wohnung whg top
		batiment bat building bldg bloc block bloque
		escalier esc escalera scala staircase stiege
		porte door puerta pta porta
		interno int room rm chambre bus bte boite box entree portal #`,
	floor:  "etage etg floor flr fl stock og verdieping piso planta piano",
	ground: "rdc eg",
	side:   "gauche droite gche dte izq izquierda izda dcha derecha links rechts left right face",
})

// parseEntries reads lists of words: of a plain word or a street type each
// line is one, of the other kinds all words stay as they are. A word in two
// lists would be of either by chance.
func parseEntries(lists map[kind]string) map[string]entry {
	m := make(map[string]entry)
	for k, list := range lists {
		for line := range strings.Lines(list) {
			for i, word := range strings.Fields(line) {
				to := word
				if first := strings.Fields(line)[0]; i > 0 && (k == streetType || k == plain) {
					to = first
				}
				if _, ok := m[word]; ok {
					panic("the word " + word + " stands in two lists")
				}
				m[word] = entry{[]byte(to), k}
			}
		}
	}
	return m
}

// frenchSuffixes are what letters behind a French house number stand for.
var frenchSuffixes = map[string]string{"b": "bis", "t": "ter", "q": "quater"}

// A suffix is a street type that German and Dutch write at the end of a name.
type suffix struct {
	suffix string
	to     []byte
}

var suffixes = func() (list []suffix) {
	for _, s := range [...]string{"strasse", "str", "straat", "platz", "plein", "weg", "gasse", "allee", "laan"} {
		list = append(list, suffix{s, entries[s].to})
	}
	return list
}()

// compound finds the street type at the end of a word that is longer.
func compound(word []byte) (suffix, bool) {
	for _, s := range suffixes {
		if len(word) > len(s.suffix)+1 && string(word[len(word)-len(s.suffix):]) == s.suffix {
			return s, true
		}
	}
	return suffix{}, false
}

// nameTitles are no part of a name, unless it has nothing else.
var nameTitles = set(`mr mrs ms mme mlle mm monsieur madame mademoiselle herr frau fraulein dr prof dott sig sigra
	signor signora sra srta senor senora dhr mevr mevrouw mw ing dipl`)

// placeholderNames are written for people whose name is not known. Words that
// are somebody's name too, such as Null and Na, are not among them.
var placeholderNames = set(`test unknown inconnu inconnue unbekannt desconocido desconocida sconosciuto onbekend anonymous
	anonyme anonym undefined noname xx xxx xxxx`)

// placeholderWords stand where a form or a system had nothing to write.
var placeholderWords = set(`test tests testing tester none null nil nobody anonymous anonyme anonym unknown inconnu
	inconnue unbekannt desconocido sconosciuto onbekend aucun undefined na xx xxx xxxx example exemple beispiel dummy
	fake asdf qwerty azerty qwertz noname noemail nomail nomailaddress pasdemail pasdadresse keineemail`)

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
