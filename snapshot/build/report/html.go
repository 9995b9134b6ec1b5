package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"css":     func() template.CSS { return template.CSS(pageCSS) },
	"percent": func(c, whole Count) string { return c.percentOf(whole) },
	"reach":   reachChart, "exclusive": exclusiveChart, "consent": consentChart,
	"devices": devicesChart, "sizes": sizesChart, "areas": areas, "heat": heat,
	"known":    func(c Count) bool { return c.shown },
	"any":      func(c Count) bool { return c.shown && c.n > 0 },
	"factor":   func(f *float64) string { return fmt.Sprintf("×%.1f", *f) },
	"thousand": grouped,
	"tiles":    tiles, "records": recordTiles, "prospects": prospectTiles, "num": num,
	"note": func() string { return withheldNote },
	"method": func(a audienceView) barChart {
		return namedChart("Links needed", "people reached by links as strong as this, or stronger", "Method", a.Methods, a.People)
	},
	"space": func(a audienceView) barChart {
		return namedChart("By kind of digital id", "people with one or more of the kind", "Namespace", a.Namespaces, a.People)
	},
}).Parse(pageHTML))

// WriteHTML writes report.html: one file that needs neither a script nor the
// network, and forbids both.
func (d *Data) WriteHTML(w io.Writer) error {
	return page.Execute(w, d.disclose())
}
