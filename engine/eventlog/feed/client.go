package feed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// Options of a client. URL and Key are required.
type Options struct {
	// URL is the daemon's: http://host:port, https://host:port or unix:/path.
	URL string
	// Key is an API key with the scope admin.
	Key string
	// Store is the name that the daemon has for the store; empty where it serves
	// one.
	Store string
	// Wait is how long the daemon holds an answer, in whole seconds up to MaxWait;
	// 10 s. Only [Client.Follow] waits.
	Wait time.Duration
	// Backoff is how long to wait after a first error; 100 ms. It doubles with
	// each further one, up to MaxBackoff; 5 s. A random half of it is left out.
	Backoff, MaxBackoff time.Duration
	// Retry is told of errors that are tried again; nil is nobody.
	Retry func(error)
}

// Client reads the stream of a daemon.
type Client struct {
	o    Options
	base string
	http http.Client
}

// New makes a client. It asks nothing yet.
func New(o Options) (*Client, error) {
	o.Wait, o.Backoff, o.MaxBackoff = cmp.Or(o.Wait, 10*time.Second), cmp.Or(o.Backoff, 100*time.Millisecond), cmp.Or(o.MaxBackoff, 5*time.Second)
	if o.Wait < time.Second || o.Wait > MaxWait || o.Backoff < 0 || o.MaxBackoff < o.Backoff {
		return nil, fmt.Errorf("feed: wait %v is not from 1 s to %v, or backoff %v is not from 0 to %v", o.Wait, MaxWait, o.Backoff, o.MaxBackoff)
	}
	if o.Retry == nil {
		o.Retry = func(error) {}
	}
	if o.Key == "" || strings.ContainsAny(o.Key, "\r\n") {
		return nil, errors.New("feed: the key is empty, or of more than one line")
	}
	c := &Client{o: o, base: strings.TrimSuffix(o.URL, "/")}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: MaxWait,
	}
	c.http = http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if socket, ok := strings.CutPrefix(o.URL, "unix:"); ok {
		c.base = "http://localhost"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		return c, nil
	}
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("feed: the URL of a daemon is http://host:port, https://host:port or unix:/path")
	}
	return c, nil
}

// URL is where the daemon is.
func (c *Client) URL() string { return c.o.URL }

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is a refusal by the daemon.
type StatusError struct {
	Status int
	// Detail is what the daemon says of it, or empty.
	Detail string
}

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the daemon answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("the daemon answers %d: %s", e.Status, e.Detail)
}

// passing reports whether an error may pass by itself.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Status == http.StatusTooManyRequests || status.Status >= 502 && status.Status <= 504
	}
	var failed *transportError
	return errors.As(err, &failed)
}

// transportError is of an answer that did not come, or not whole.
type transportError struct{ error }

func (e *transportError) Unwrap() error { return e.error }

// answer is one answer, or the beginning of one that was cut.
type answer struct {
	Header
	lines [][]byte
	cut   error
}

// get asks for the records after a number.
func (c *Client) get(ctx context.Context, after uint64, wait time.Duration) (*answer, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}}
	if wait > 0 {
		query.Set("wait", strconv.Itoa(int(wait/time.Second)))
	}
	if c.o.Store != "" {
		query.Set("store", c.o.Store)
	}
	// A daemon that is gone without a word is given up.
	limited, cancel := context.WithTimeout(ctx, wait+15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodGet, c.base+"/v1/events?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.o.Key)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // all of it has been read, or is given up
	if res.StatusCode != http.StatusOK {
		return nil, refusal(res)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswer+2*maxLine))
	if err != nil {
		err = c.failed(ctx, err)
	}
	a := &answer{cut: err}
	whole, rest := cutLast(body)
	if err == nil && len(rest) > 0 {
		a.cut = &transportError{errors.New("the answer ends within a line")}
	}
	head, records, ok := bytes.Cut(whole, []byte("\n"))
	if !ok {
		return nil, cmp.Or(a.cut, error(&transportError{errors.New("the answer is empty")}))
	}
	if a.Header, err = parseHeader(head); err != nil {
		return nil, err
	}
	a.lines = bytes.SplitAfter(records, []byte("\n"))
	a.lines = a.lines[:len(a.lines)-1] // what follows the last line feed
	return a, nil
}

// cutLast cuts after the last line feed.
func cutLast(b []byte) (whole, rest []byte) {
	i := bytes.LastIndexByte(b, '\n')
	return b[:i+1], b[i+1:]
}

// failed is why nothing came: the context's error, or one that may pass. It does
// not name the daemon, which may be told to others.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return &transportError{fmt.Errorf("the daemon cannot be reached: %w", err)}
}

func refusal(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // what there is of it
	var p struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(body, &p) // it may be of something between
	return &StatusError{res.StatusCode, p.Detail}
}

// pause waits after the nth error in a row, from 0, or until ctx is done.
func (c *Client) pause(ctx context.Context, n int) error {
	d := c.o.Backoff
	for ; n > 0 && d < c.o.MaxBackoff; n-- {
		d *= 2
	}
	d = min(d, c.o.MaxBackoff)
	if d > 0 {
		d -= rand.N(d/2 + 1)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// read hands on what an answer holds, once it is checked, up to the first that is
// not sound.
func (a *answer) read(check *eventlog.Checker, f func(*eventlog.Sealed) error) error {
	if err := check.Begin(a.Extent); err != nil {
		return err
	}
	for _, line := range a.lines {
		s, err := parseRecord(line)
		if err == nil {
			err = check.Next(&s)
		}
		if err == nil {
			err = f(&s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
