package enrich

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/index"
)

// shapes are bid requests as exchanges send them, about 1.2 KB each with the
// consent string: apps and sites, banner, video and native, and a television.
// An app names a device, a site the cookie of a publisher; which comes where in
// the request differs, and whether there are segments of others already.
var shapes = []string{
	`{"id":"$ID","imp":[{"id":"1","tagid":"t-$N","bidfloor":0.$N,"bidfloorcur":"EUR","secure":1,"banner":{"w":320,"h":50,"pos":1,"api":[3,5,6,7],"btype":[4]}}],"app":{"id":"a-$N","name":"Weather $N","bundle":"com.example.weather$N","cat":["IAB15-10"],"publisher":{"id":"p-$N","name":"Weather Ltd"}},"device":{"ua":"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36","ip":"203.0.113.$B","devicetype":4,"make":"Google","model":"Pixel 8","os":"Android","osv":"14","language":"de","connectiontype":2,"lmt":0,"ifa":"$IFA","geo":{"country":"DEU","region":"BE","lat":52.$N,"lon":13.$N}},"user":{"id":"u-$ID","consent":"$TCF","eids":[{"source":"sharedid.example","mm":2,"uids":[{"id":"01HX$ID","atype":1}]}]},"regs":{"gdpr":1,"coppa":0},"at":1,"tmax":120,"cur":["EUR"],"bcat":["IAB25","IAB26"],"source":{"tid":"$ID"}}`,
	`{"id":"$ID","at":1,"tmax":150,"cur":["EUR","USD"],"regs":{"coppa":0,"ext":{"gdpr":1}},"user":{"buyeruid":"$ID","ext":{"consent":"$TCF"},"data":[{"name":"dmp.example","ext":{"segtax":4},"segment":[{"id":"687"},{"id":"$N"}]}]},"app":{"id":"a-$N","name":"Puzzle","bundle":"56$N1923","storeurl":"https://apps.example/id56$N1923","cat":["IAB9-30"],"ver":"4.2.1"},"device":{"ua":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148","ip":"198.51.100.$B","ifa":"$IFA","lmt":0,"make":"Apple","model":"iPhone15,3","os":"iOS","osv":"18.3","w":1179,"h":2556,"pxratio":3,"devicetype":4,"geo":{"country":"FRA","type":2}},"imp":[{"id":"1","instl":1,"displaymanager":"sdk","displaymanagerver":"9.1","bidfloor":1.$N,"secure":1,"video":{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[2,3,5,6],"w":1179,"h":2556,"startdelay":0,"placement":5,"plcmt":3,"skip":1,"playbackmethod":[1],"api":[7]}}]}`,
	`{"id":"$ID","imp":[{"id":"1","tagid":"top-$N","bidfloor":0.$N,"bidfloorcur":"EUR","secure":1,"banner":{"w":300,"h":250,"pos":1,"api":[3,5,6,7],"btype":[4],"format":[{"w":300,"h":250},{"w":336,"h":280}]}}],"site":{"id":"$N","domain":"news.example","page":"https://news.example/politics/2026/$N/budget?ref=home","cat":["IAB12","IAB12-2"],"publisher":{"id":"p-$N","name":"Example News","domain":"news.example"}},"device":{"ua":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","ip":"192.0.2.$B","devicetype":2,"os":"Windows","osv":"10","language":"de","geo":{"country":"DEU","region":"BY"}},"user":{"id":"u-$ID","buyeruid":"9f$ID","consent":"$TCF","eids":[{"source":"publisher-a.example","mm":3,"uids":[{"id":"$COOKIE","atype":1}]}]},"regs":{"gdpr":1,"coppa":0},"at":1,"tmax":120,"cur":["EUR"],"bcat":["IAB25","IAB26"],"source":{"tid":"$ID"}}`,
	`{"id":"$ID","site":{"domain":"recipes.example","page":"https://recipes.example/cakes/$N?utm_source=mail","ref":"https://search.example/","publisher":{"id":"p-$N"},"mobile":1},"user":{"ext":{"consent":"$TCF","eids":[{"source":"id.example","uids":[{"id":"$ID","atype":1,"ext":{"rtiPartner":"TDID"}}]},{"source":"publisher-a.example","uids":[{"id":"$COOKIE","atype":1}]}]},"data":[]},"device":{"ua":"Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36","ip":"203.0.113.$B","devicetype":1,"os":"Android","geo":{"country":"AUT","city":"Graz","zip":"8010"}},"imp":[{"id":"1","bidfloor":0.$N,"secure":1,"native":{"request":"{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":90}},{\"id\":2,\"img\":{\"type\":3,\"w\":1200,\"h\":627}}]}","ver":"1.2","api":[7]},"ext":{"gpid":"/5$N/recipes/cakes"}}],"regs":{"ext":{"gdpr":1}},"tmax":200,"cur":["EUR"],"test":0}`,
	`{"id":"$ID","imp":[{"id":"1","bidfloor":9.$N,"bidfloorcur":"EUR","secure":1,"video":{"mimes":["video/mp4","application/x-mpegURL"],"minduration":6,"maxduration":30,"protocols":[2,3,5,6,7,8],"w":1920,"h":1080,"startdelay":-1,"plcmt":1,"linearity":1,"podid":"pod-$N","maxseq":4,"poddur":90}}],"app":{"id":"tv-$N","name":"Example TV","bundle":"$N445","publisher":{"id":"p-$N","name":"Example Broadcast"},"content":{"id":"ep-$N","title":"Episode $N","series":"Harbour","season":"2","genre":"drama","livestream":0,"len":2700,"language":"de"}},"device":{"ua":"Roku/DVP-13.0 (13.0.0.4209)","ip":"198.51.100.$B","devicetype":3,"make":"Roku","model":"4802X","os":"Roku","ifa":"$IFA","lmt":0,"geo":{"country":"NLD"}},"user":{"consent":"$TCF"},"regs":{"gdpr":1},"at":1,"tmax":300,"cur":["EUR"],"source":{"tid":"$ID","schain":{"ver":"1.0","complete":1,"nodes":[{"asi":"exchange.example","sid":"$N","hp":1}]}}}`,
}

// body is a bid request, and of whom.
type body struct {
	json   []byte
	person int // number in the world; Persons and above are nobody
}

// bodies makes bid requests, each with one of some consent strings, of which a
// share belongs to somebody.
type bodies struct {
	world   *world.World
	strings [][]byte
	seed    uint64
}

func newBodies(w *world.World, strings int, seed uint64) *bodies {
	return &bodies{w, consents(strings, time.Now(), rand.New(rand.NewPCG(seed, 1))), seed}
}

// make makes n, of which the share of matches belongs to somebody.
func (b *bodies) make(n int, matches float64) []body {
	random := rand.New(rand.NewPCG(b.seed, 2))
	list := make([]body, n)
	for i := range list {
		at := &list[i]
		at.person = random.IntN(b.world.Persons())
		if random.Float64() >= matches {
			at.person += b.world.Persons()
		}
		at.json = b.one(at.person, random)
	}
	return list
}

// one fills in a shape.
func (b *bodies) one(person int, random *rand.Rand) []byte {
	device := b.world.AppendText(nil, b.deviceOf(person, random))[len(index.MAID)+1:]
	shape := shapes[random.IntN(len(shapes))]
	return []byte(strings.NewReplacer(
		"$ID", fmt.Sprintf("%012x", random.Uint64()>>16),
		"$N", fmt.Sprint(100+random.IntN(900)),
		"$B", fmt.Sprint(random.IntN(256)),
		"$IFA", string(device),
		"$COOKIE", string(b.world.Cookie(person)),
		"$TCF", string(b.strings[random.IntN(len(b.strings))]),
	).Replace(shape))
}

// deviceOf is the number of one of a person's mobile ids, or of one that
// belongs to nobody.
func (b *bodies) deviceOf(person int, random *rand.Rand) int {
	n := random.IntN(world.PerPerson)
	if person >= b.world.Persons() {
		return b.world.IDs + (person-b.world.Persons())*world.PerPerson + n
	}
	return min(person*world.PerPerson+n, b.world.IDs-1)
}

// meanSize is the mean length of the requests, in bytes.
func meanSize(list []body) int {
	sum := 0
	for i := range list {
		sum += len(list[i].json)
	}
	return sum / len(list)
}
