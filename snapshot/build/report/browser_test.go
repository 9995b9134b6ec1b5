package report

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is the first Chromium or Chrome there is.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium, chromium-browser or google-chrome in PATH: the page is looked at in no browser")
	return ""
}

// look opens an address in a browser of its own and returns what it prints.
func look(t *testing.T, url string, flags ...string) []byte {
	t.Helper()
	home := t.TempDir()
	flags = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--force-device-scale-factor=1", "--user-data-dir=" + home,
	}, append(flags, url)...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, browser(t), flags...)
	c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	var said, printed bytes.Buffer
	c.Stderr, c.Stdout = &said, &printed
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%v: %v\n%s", c.Args, err, said.String())
	}
	return printed.Bytes()
}

// picture is what the browser draws of an address.
func picture(t *testing.T, url, size string, flags ...string) *image.RGBA {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.png")
	look(t, url, append(flags, "--screenshot="+name, "--window-size="+size)...)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, out.Rect.Min, draw.Src)
	return out
}

// site serves the page, and beside it a page that holds it in a frame of a
// given width and says how large it is. It notes every request.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func serve(t *testing.T, page []byte) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/report.html":
			w.Write(page)
		case "/measure":
			w.Write([]byte(measurePage))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// measurePage writes into its own title what of the framed page lies outside
// the frame, at several widths. Cells of the matrix may: it scrolls.
const measurePage = `<!doctype html><title>waiting</title><iframe src="/report.html" style="border:0;height:900px"></iframe><script>
const frame = document.querySelector('iframe');
frame.onload = () => {
  const out = [];
  for (const width of [1280, 1024, 768, 390]) {
    frame.style.width = width + 'px';
    const doc = frame.contentDocument;
    if (doc.documentElement.scrollWidth > width) out.push('page ' + width + ': ' + doc.documentElement.scrollWidth);
    for (const e of doc.querySelectorAll('body *')) {
      if (e.closest('.scroll') && !e.matches('.scroll')) continue;
      const b = e.getBoundingClientRect();
      if (b.right > width + 1 || b.left < -1) out.push(width + ' ' + e.tagName + ' ' + b.left + '-' + b.right + ' ' + e.textContent.slice(0, 40));
      const svg = e.closest('svg');
      if (e.tagName === 'text' && svg) {
        const s = svg.getBoundingClientRect();
        if (b.left < s.left - 1 || b.right > s.right + 1 || b.bottom > s.bottom + 2 || b.top < s.top - 2) out.push(width + ' svg text ' + e.textContent);
      }
    }
  }
  document.title = 'measured ' + frame.contentDocument.querySelectorAll('rect,circle').length + ': ' + (out.join('; ') || 'all inside');
};
</script>`

// shares of a picture's pixels that have about each colour.
func share(img *image.RGBA, area image.Rectangle, want color.RGBA) float64 {
	n := 0
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if c := img.RGBAAt(x, y); near(c.R, want.R) && near(c.G, want.G) && near(c.B, want.B) {
				n++
			}
		}
	}
	return float64(n) / float64(area.Dx()*area.Dy())
}

func near(got, want uint8) bool { return int(got)+6 >= int(want) && int(got) <= int(want)+6 }

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

// The page as a person sees it: everything is drawn, in the light and in the
// dark, nothing is cut off, and nothing but the page is asked for.
func TestPageInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser(t)
	d := likelyData(t, 12000, 3)
	d.cfg.Tenants = d.cfg.Tenants[:1] // a page short enough for one picture
	d.counts.audiences = d.counts.audiences[:2]
	s := serve(t, render(t, d))
	const width, height = 1280, 5600
	for _, c := range []struct {
		name                                                             string
		flags                                                            []string
		back, card, own, gain, all, source, only, warn, size, disc, heat uint32
	}{
		{
			"light", nil, 0xf4f6fb, 0xffffff, 0x2563eb, 0x0d9488, 0xcbd3e6, 0x99d6cf, 0x0f766e, 0xd97706, 0x7c3aed, 0xefc696, 0x90cec8,
		},
		{
			"dark",
			[]string{"--blink-settings=preferredColorScheme=0"},
			0x0d1220, 0x161d30, 0x6e9bff, 0x2dd4bf, 0x3a4568, 0x1f5f5a, 0x2dd4bf, 0xfbbf24, 0xa78bfa, 0x76612b, 0x217172,
		},
	} {
		img := picture(t, s.URL+"/report.html", "1280,5600", c.flags...)
		if keep := os.Getenv("MATCHD_PICTURES"); keep != "" {
			save(t, filepath.Join(keep, c.name+".png"), img)
		}
		if got := img.Bounds().Size(); got != image.Pt(width, height) {
			t.Fatalf("%s: picture of %v", c.name, got)
		}
		left, right := image.Rect(40, 0, width/2, height), image.Rect(width/2, 0, width-40, height)
		below := image.Rect(40, 3*height/4, width-40, height)
		for _, x := range []struct {
			what  string
			where image.Rectangle
			color uint32
			least float64
		}{
			{"the page's ground", img.Bounds(), c.back, 0.1},
			{"cards", img.Bounds(), c.card, 0.3},
			{"own data and devices", left, c.own, 0.01},
			{"reach with partners", left, c.gain, 0.001},
			{"everybody", left, c.all, 0.001},
			{"sources", right, c.source, 0.0005},
			{"what only a source has", right, c.only, 0.0005},
			{"links needed", right, c.own, 0.001},
			{"consent", right, c.warn, 0.001},
			{"sizes", left, c.size, 0.003},
			{"segments as areas", below, c.disc, 0.006},
			{"segments as a matrix", below, c.heat, 0.003},
		} {
			if got := share(img, x.where, rgb(x.color)); got < x.least {
				t.Errorf("%s: %s cover %.5f of their place, want at least %v", c.name, x.what, got, x.least)
			}
		}
	}
	for _, path := range s.asked {
		if path != "/report.html" && path != "/favicon.ico" {
			t.Errorf("the page asks for %s", path)
		}
	}
}

// Nothing is wider than its window, with names as long as they get.
func TestNothingOverflows(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser(t)
	for name, rename := range map[string]func(*Data){
		"as it is": func(*Data) {},
		"long names": func(d *Data) {
			for i := range d.cfg.Tenants {
				d.cfg.Tenants[i].Name = strings.Repeat("tenant", 12)
			}
			for i := range d.cfg.Sources {
				d.cfg.Sources[i].Name = strings.Repeat("W", 64)
			}
			for i := range d.cfg.Segments {
				d.cfg.Segments[i].Code = strings.Repeat("M", 80)
			}
		},
	} {
		d := likelyData(t, 12000, 6)
		rename(d)
		s := serve(t, render(t, d))
		dom := string(look(t, s.URL+"/measure", "--dump-dom", "--virtual-time-budget=5000"))
		_, title, _ := strings.Cut(dom, "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		if !strings.HasPrefix(title, "measured ") || strings.HasPrefix(title, "measured 0:") || !strings.HasSuffix(title, ": all inside") {
			t.Errorf("%s: %.1500s", name, title)
		}
	}
}

// The browser itself refuses a script and a picture that got into the page.
func TestPolicyForbidsTheRest(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser(t)
	with := `<script>document.title='ran'</script><img src="/picture.png"></body>`
	s := serve(t, bytes.Replace(render(t, likelyData(t, 2000, 2)), []byte("</body>"), []byte(with), 1))
	dom := look(t, s.URL+"/report.html", "--dump-dom")
	if !bytes.Contains(dom, []byte("/picture.png")) || bytes.Contains(dom, []byte("<title>ran")) {
		t.Error("the script ran, or the page was not as made")
	}
	for _, path := range s.asked {
		if path == "/picture.png" {
			t.Error("the picture was asked for")
		}
	}
}

func render(t *testing.T, d *Data) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := d.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func save(t *testing.T, name string, img image.Image) {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
