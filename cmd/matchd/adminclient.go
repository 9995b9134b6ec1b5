package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/server"
)

// adminKey is the environment variable with the key for an admin listener that
// asks for one: an argument would be seen by everybody on the machine.
const adminKey = "MATCHD_KEY"

// adminClient asks the admin listener of a daemon.
type adminClient struct {
	admin, config, store string
	asJSON               bool
}

func (a *adminClient) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.admin, "admin", server.DefaultAdmin, "the daemon's admin listener: host:port, an URL, or unix:/path")
	f.StringVar(&a.config, "config", "", "take the admin listener from this matchd.yaml")
	f.StringVar(&a.store, "store", "", "the store's name, where the daemon serves several")
	f.BoolVar(&a.asJSON, "json", false, "print JSON")
}

// post does an action on a store and prints what is served then.
func (a *adminClient) post(cmd *cobra.Command, action string, params url.Values) error {
	if a.store != "" {
		params.Set("store", a.store)
	}
	var st server.StoreSwaps
	if err := a.call(cmd.Context(), http.MethodPost, "/admin/v1/"+action, params, &st); err != nil {
		return err
	}
	return a.print(cmd.OutOrStdout(), []server.StoreSwaps{st})
}

func (a *adminClient) call(ctx context.Context, method, path string, params url.Values, into any) error {
	body, err := a.ask(ctx, method, path+"?"+params.Encode(), nil, 1<<20)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// ask returns the answer to a request, of up to a size in bytes. A form that is not
// nil is sent in the body.
func (a *adminClient) ask(ctx context.Context, method, target string, form url.Values, most int64) ([]byte, error) {
	if a.config != "" {
		c, err := server.ReadConfig(a.config)
		if err != nil {
			return nil, err
		}
		a.admin = c.Admin
	}
	base, transport := a.admin, &http.Transport{DisableKeepAlives: true}
	if socket, ok := strings.CutPrefix(a.admin, "unix:"); ok {
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	} else if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, usage(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if key := os.Getenv(adminKey); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // all of it has been read
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("the daemon's answer is longer than %d bytes", most)
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusal(res.StatusCode, body, "put a key with the scope admin into "+adminKey)
	}
	return body, nil
}

// refusal is the error that a problem tells of; remedy is what to do where the key
// is missing or wrong.
func refusal(status int, body []byte, remedy string) error {
	var p struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the daemon answers %d %s", status, http.StatusText(status))
	}
	if status == http.StatusUnauthorized {
		return fmt.Errorf("%s: %s", p.Detail, remedy)
	}
	return errors.New(p.Detail)
}

func (a *adminClient) print(w io.Writer, list []server.StoreSwaps) error {
	if a.asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	for _, s := range list {
		verb := "serving"
		if s.Changed {
			verb = "now serving"
		}
		fmt.Fprintf(w, "%s: %s %s\n", s.Store, verb, orNone(s.Serving))
		if s.Pinned != "" {
			fmt.Fprintf(w, "  pinned to %s; matchd unpin follows what is published again\n", s.Pinned)
		}
		if s.Current != s.Serving {
			fmt.Fprintf(w, "  CURRENT names %s\n", orNone(s.Current))
		}
		if s.Refused != "" {
			fmt.Fprintf(w, "  refused: %s\n", s.Refused)
		}
		for _, name := range s.Kept {
			fmt.Fprintf(w, "  kept %s\n", name)
		}
	}
	return nil
}

func orNone(name string) string {
	if name == "" {
		return "no snapshot"
	}
	return name
}
