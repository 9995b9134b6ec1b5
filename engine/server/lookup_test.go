package server

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/matchd/matchd/engine"
)

func idQuery(ids ...string) string { return url.Values{"id": ids}.Encode() }

func batch(ids ...string) string {
	b, _ := json.Marshal(map[string][]string{"ids": ids})
	return string(b)
}

// person takes the person's id out of an answer, which is checked apart: it
// depends on the store's random secret.
func person(t *testing.T, body string) string {
	t.Helper()
	_, after, ok := strings.Cut(body, `"person":"`)
	if !ok || len(after) < 33 || after[32] != '"' {
		t.Fatalf("no person in %s", body)
	}
	return after[:32]
}

// withPerson puts the person's id in an answer in the place of PERSON in want.
func withPerson(t *testing.T, want, body string) string {
	t.Helper()
	if !strings.Contains(want, "PERSON") {
		return want
	}
	return strings.Replace(want, "PERSON", person(t, body), 1)
}

func TestMatch(t *testing.T) {
	r := start(t, Options{})
	snap := r.pools.All()[0].Info().Snapshot
	acmeProfile := `{"tenant":"acme","customer":"C-1","kind":"customer","segments":["vip","churn \"high\""],"method":"%s","seen":"2026-09-04","expires_at":"2027-11-21T10:00:00Z"}`
	globexProfile := `{"tenant":"globex","customer":"G-1","kind":"prospect","segments":["lapsed"],"method":"authenticated","seen":"2026-09-04"}`
	matched := func(id string, profiles ...string) string {
		return fmt.Sprintf(`{"id":"%s","status":"matched","person":"PERSON","profiles":[%s],"snapshot":"%s"}`, id, strings.Join(profiles, ","), snap)
	}
	authenticated, synced := fmt.Sprintf(acmeProfile, "authenticated"), fmt.Sprintf(acmeProfile, "cookie_sync")
	for _, c := range []struct {
		name, client string
		ids          []string
		want         string
	}{
		{"a maid", "acme", []string{maidOne}, matched(maidOne, authenticated)},
		{"in capitals", "acme", []string{strings.ToUpper(maidOne[:5]) + maidOne[5:]}, `{"id":"MAID:` + maidOne[5:] + `","status":"none","reason":"invalid"}`},
		{"by the other tenant", "globex", []string{maidOne}, matched(maidOne, globexProfile)},
		{"by a client of both", "both", []string{maidOne}, matched(maidOne, authenticated, globexProfile)},
		{"a weaker path", "acme", []string{cookieOne}, matched(cookieOne, synced)},
		{"the stronger of two decides", "acme", []string{cookieOne, maidOne}, matched(maidOne, authenticated)},
		{"segments not granted", "narrow", []string{maidOne}, matched(maidOne, strings.Replace(authenticated, `,"churn \"high\""`, "", 1))},
		{"no consent", "acme", []string{maidTwo}, `{"id":"` + maidTwo + `","status":"none","reason":"no_consent"}`},
		{"unknown", "acme", []string{maidNobody}, `{"id":"` + maidNobody + `","status":"none","reason":"unknown"}`},
		{"invalid, escaped, repaired", "acme", []string{"a\"\\\x01\xffé"}, `{"id":"a\"\\\u0001\ufffdé","status":"none","reason":"invalid"}`},
		{"a customer of another", "acme", []string{"crm.globex:G-3"}, `{"id":"crm.globex:G-3","status":"none","reason":"invalid"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := r.ask(t, "GET", "/v1/match?"+idQuery(c.ids...)+"&x=y", c.client, "")
			want := withPerson(t, c.want, got.body)
			if got.status != 200 || got.body != want || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("got  %d %s\nwant 200 %s", got.status, got.body, want)
			}
			// A batch gives each id the same answer, but for the snapshot.
			if len(c.ids) > 1 || !utf8.ValidString(c.ids[0]) {
				return
			}
			post := r.ask(t, "POST", "/v1/match", c.client, batch(c.ids...))
			want = `{"results":[` + strings.Replace(want, `,"snapshot":"`+snap+`"`, "", 1) + `],"snapshot":"` + snap + `"}`
			if post.status != 200 || post.body != want {
				t.Errorf("posted: got  %d %s\nwant 200 %s", post.status, post.body, want)
			}
		})
	}
}

// Invariant 8: nothing tells an identifier of somebody else's from one that
// nobody knows.
func TestUnknownAndForeignAnswerAlike(t *testing.T) {
	r := start(t, Options{})
	for _, target := range []string{"/v1/match?id=", "/v1/segments?id=", "/v1/segments?experiment=e&buckets=10&id="} {
		foreign := r.ask(t, "GET", target+maidThree, "acme", "")
		unknown := r.ask(t, "GET", target+maidNobody, "acme", "")
		if foreign.status != 200 || strings.ReplaceAll(foreign.body, maidThree, maidNobody) != unknown.body {
			t.Errorf("%s: %+v and %+v", target, foreign, unknown)
		}
	}
	foreign := r.ask(t, "POST", "/v1/match", "acme", batch(maidThree))
	unknown := r.ask(t, "POST", "/v1/match", "acme", batch(maidNobody))
	if strings.ReplaceAll(foreign.body, maidThree, maidNobody) != unknown.body {
		t.Errorf("%s and %s", foreign.body, unknown.body)
	}
	for _, customer := range []string{"globex:G-3", "globex:nobody", "nowhere:G-3", "acme:nobody"} {
		got := r.ask(t, "GET", "/v1/identifiers?customer="+customer, "acme", "")
		if want := `{"customer":"` + customer + `","status":"none","reason":"unknown"}`; got.status != 200 || got.body != want {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
}

func TestPersonsOfTwoIDSpacesDiffer(t *testing.T) {
	r := start(t, Options{})
	seen := map[string]string{}
	for _, c := range []string{"acme", "globex", "both"} {
		id := person(t, r.ask(t, "GET", "/v1/match?id="+maidOne, c, "").body)
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s see one person id", c, other)
		}
		seen[id] = c
	}
}

func TestSegments(t *testing.T) {
	r := start(t, Options{})
	for _, c := range []struct{ query, client, want string }{
		{idQuery(maidOne), "acme", `{"status":"matched","segments":{"acme":["churn \"high\"","vip"]}}`},
		{idQuery(maidOne), "both", `{"status":"matched","segments":{"acme":["churn \"high\"","vip"],"globex":["lapsed"]}}`},
		{idQuery(maidOne, cookieOne), "narrow", `{"status":"matched","segments":{"acme":["vip"]}}`},
		{idQuery(maidTwo), "acme", `{"status":"none","reason":"no_consent"}`},
		{idQuery(maidNobody) + "&experiment=e&buckets=10", "acme", `{"status":"none","reason":"unknown"}`},
	} {
		got := r.ask(t, "GET", "/v1/segments?"+c.query, c.client, "")
		if got.status != 200 || got.body != c.want {
			t.Errorf("%s as %s: got %d %s, want %s", c.query, c.client, got.status, got.body, c.want)
		}
	}
	for _, bad := range []string{"experiment=e", "buckets=3", "experiment=e&buckets=0", "experiment=e&buckets=1001", "experiment=&buckets=3", "experiment=e&buckets=x"} {
		for _, id := range []string{maidOne, maidNobody} {
			checkProblem(t, r.ask(t, "GET", "/v1/segments?id="+id+"&"+bad, "acme", ""), 400)
		}
	}
}

func TestBucketIsTheSameOnEveryDevice(t *testing.T) {
	r := start(t, Options{})
	shown := person(t, r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "").body)
	id, err := hex.DecodeString(shown)
	must(t, err)
	want, err := engine.Bucket(engine.PersonID(id), "blue button", 100)
	must(t, err)
	for _, device := range []string{maidOne, cookieOne, emailOne} {
		var got struct{ Bucket int }
		body := r.ask(t, "GET", "/v1/segments?experiment=blue%20button&buckets=100&id="+device, "acme", "").body
		must(t, json.Unmarshal([]byte(body), &got))
		if got.Bucket != want {
			t.Errorf("%s: %s, want bucket %d", device, body, want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	r := start(t, Options{})
	got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "acme", "")
	var list struct {
		Customer, Status, Person, Snapshot string
		Identifiers                        []struct{ ID, Method, Source, Seen string }
	}
	must(t, json.Unmarshal([]byte(got.body), &list))
	var ids []string
	for _, id := range list.Identifiers {
		ids = append(ids, id.ID)
		if id.Seen != "2026-09-04" || id.Source != "site" || id.Method == "" {
			t.Errorf("got %+v", id)
		}
	}
	if want := []string{cookieOne, "crm.acme:C-1", emailOne, maidOne}; !reflect.DeepEqual(ids, want) {
		t.Errorf("got %v, want %v: no customer id of another tenant", ids, want)
	}
	if list.Customer != "acme:C-1" || list.Status != "matched" || list.Snapshot != r.pools.All()[0].Info().Snapshot ||
		list.Person != person(t, r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "").body) {
		t.Errorf("got %s", got.body)
	}
	if got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-2", "acme", ""); got.body != `{"customer":"acme:C-2","status":"none","reason":"no_consent"}` {
		t.Errorf("got %s", got.body)
	}
	checkProblem(t, r.ask(t, "GET", "/v1/identifiers?customer=globex:G-1", "globex", ""), 403)
	for _, q := range []string{"", "?customer=", "?customer=acme", "?customer=acme:", "?customer=:C-1", "?customer=a:b&customer=a:b"} {
		checkProblem(t, r.ask(t, "GET", "/v1/identifiers"+q, "acme", ""), 400)
	}
}
